// node watch.mjs PREFIX FILE: prints every change under a prefix. The position in FILE is where it goes on after a restart or a
// broken connection, without gap or repetition. After `compacted` list the prefix: what happened before is not known.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const [prefix, file] = process.argv.slice(2);
const url = `${process.env.HOLDFAST_URL ?? "http://demo:8080"}/v1/stores/_default/watch?prefix=${prefix}`;
const token = process.env.HOLDFAST_TOKEN_FILE ?? "/var/run/secrets/kubernetes.io/serviceaccount/token";

for (;; await new Promise((resolve) => setTimeout(resolve, 1000))) {
  try {
    const headers = existsSync(token) ? { Authorization: `Bearer ${readFileSync(token, "ascii").trim()}` } : {};
    if (existsSync(file)) headers["Last-Event-ID"] = readFileSync(file, "ascii");
    let rest = "";
    for await (const part of (await fetch(url, { headers })).body.pipeThrough(new TextDecoderStream())) {
      const events = (rest + part).split("\n\n");
      rest = events.pop();
      for (const text of events) {
        const event = Object.fromEntries(text.split("\n").map((line) => line.split(/: (.*)/s)));
        if (event.event) console.log(event.event, event.data ?? ""); // a heartbeat has a position only
        if (event.id) { writeFileSync(`${file}.new`, event.id); renameSync(`${file}.new`, file); }
      }
    }
  } catch (error) {
    console.error("trying again:", error.message);
  }
}
