"use strict";
// Reads /healthz and /metrics of the port that served this page, every few seconds, and shows what they say. What comes from
// the service is only ever set as text.
(() => {
  const PERIOD = 2000;
  const READS = new Set(["get", "scan", "count"]);
  // Results that are answers: the store did what was asked, or said that it may not.
  const ANSWERS = new Set(["ok", "not_found", "already_exists", "version_conflict", "failed_precondition", "fenced"]);

  const byId = (id) => document.getElementById(id);

  // [{name, labels, value}] of the Prometheus text format.
  function parse(text) {
    const samples = [];
    for (const line of text.split("\n")) {
      const match = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (!match) continue;
      const labels = {};
      for (const [, name, value] of (match[2] || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
        labels[name] = value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
      }
      samples.push({ name: match[1], labels, value: Number(match[3]) });
    }
    return samples;
  }

  const sum = (samples, name, where = () => true) =>
    samples.reduce((total, one) => (one.name === name && where(one.labels) ? total + one.value : total), 0);

  // Of a counter since the last look. A restart begins at 0 again.
  function rate(now, before, seconds, name, where) {
    if (!before) return null;
    const grown = sum(now, name, where) - sum(before, name, where);
    return grown < 0 ? null : grown / seconds;
  }

  // The bucket in which the quantile lies, by its upper bound; null without anything since the last look.
  function quantile(now, before, q, where) {
    if (!before) return null;
    const counts = new Map();
    for (const [samples, sign] of [[now, 1], [before, -1]]) {
      for (const one of samples) {
        if (one.name !== "holdfast_operation_duration_seconds_bucket" || !where(one.labels)) continue;
        const bound = one.labels.le === "+Inf" ? Infinity : Number(one.labels.le);
        counts.set(bound, (counts.get(bound) || 0) + sign * one.value);
      }
    }
    const total = counts.get(Infinity) || 0;
    if (total <= 0) return null;
    const bounds = [...counts.keys()].sort((a, b) => a - b);
    return bounds.find((bound) => counts.get(bound) >= q * total);
  }

  const number = (value) => (value === null ? "–" : value.toLocaleString("en", value < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 }));
  const percent = (value) => (value === null || Number.isNaN(value) ? "–" : `${(100 * value).toFixed(0)} %`);

  function bytes(value) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
    return `${value.toLocaleString("en", { maximumFractionDigits: unit === 0 ? 0 : 1 })} ${units[unit]}`;
  }

  function duration(seconds) {
    if (seconds === null || seconds === undefined) return "–";
    if (seconds === Infinity) return "> 10 s";
    return seconds < 1 ? `≤ ${number(seconds * 1000)} ms` : `≤ ${seconds} s`;
  }

  // cells: text, or {text, kind} with a class.
  function row(...cells) {
    const line = document.createElement("tr");
    for (const cell of cells) {
      const field = line.insertCell();
      field.textContent = cell.text === undefined ? cell : cell.text;
      if (cell.kind) field.className = cell.kind;
    }
    return line;
  }

  const figure = (text) => ({ text, kind: "number" });

  function showHealth(health) {
    byId("state").textContent = health.status;
    byId("state").className = health.status;
    byId("backends").replaceChildren(...health.backends.map((one) =>
      row(one.name, { text: one.status, kind: one.status },
        one.latency_ms === undefined ? "–" : `${number(one.latency_ms)} ms`, one.error || "")));
  }

  function showStores(now, before, seconds) {
    const stores = now.filter((one) => one.name === "holdfast_store_entries").map((one) => one.labels);
    byId("stores").replaceChildren(...stores.map(({ store, backend }) => {
      const mine = (labels) => labels.store === store;
      const operations = (wanted) =>
        rate(now, before, seconds, "holdfast_operations_total", (labels) => mine(labels) && wanted(labels));
      const hits = rate(now, before, 1, "holdfast_cache_requests_total", (labels) => mine(labels) && labels.result === "hit");
      const asked = rate(now, before, 1, "holdfast_cache_requests_total", mine);
      return row(store, backend, figure(number(sum(now, "holdfast_store_entries", mine))),
        figure(bytes(sum(now, "holdfast_store_bytes", mine))),
        figure(number(operations((labels) => READS.has(labels.operation)))),
        figure(number(operations((labels) => !READS.has(labels.operation)))),
        figure(number(operations((labels) => !ANSWERS.has(labels.result)))),
        figure(duration(quantile(now, before, 0.99, mine))),
        figure(hits === null || !asked ? "–" : percent(hits / asked)));
    }));
  }

  function showFigures(now, before, seconds) {
    const all = rate(now, before, seconds, "holdfast_http_requests_total");
    const failed = rate(now, before, seconds, "holdfast_http_requests_total", (labels) => labels.code.startsWith("5"));
    const figures = [
      ["Requests/s", number(all)],
      ["Failed", all ? percent(failed / all) : "–"],
      ["Connections", number(sum(now, "holdfast_http_connections"))],
      ["Watches", number(sum(now, "holdfast_watch_subscribers"))],
      ["Waiting for locks", number(sum(now, "holdfast_locks_waiting"))],
      ["Open transactions", number(sum(now, "holdfast_transactions_open"))],
    ];
    byId("figures").replaceChildren(...figures.map(([name, value]) => {
      const group = document.createElement("div");
      const term = document.createElement("dt");
      const text = document.createElement("dd");
      term.textContent = name;
      text.textContent = value;
      group.append(term, text);
      return group;
    }));
    const build = now.find((one) => one.name === "holdfast_build_info");
    byId("version").textContent = build ? build.labels.version : "";
  }

  let before = null;
  let asked = 0;

  async function look() {
    try {
      // 503 has a body as well: it says what is wrong.
      const health = await (await fetch("healthz", { cache: "no-store" })).json();
      const now = parse(await (await fetch("metrics", { cache: "no-store" })).text());
      const at = performance.now();
      showHealth(health);
      showFigures(now, before, (at - asked) / 1000);
      showStores(now, before, (at - asked) / 1000);
      [before, asked] = [now, at];
    } catch (error) {
      byId("state").textContent = "no answer";
      byId("state").className = "lost";
      before = null;
    }
    setTimeout(look, PERIOD);
  }

  look();
})();
