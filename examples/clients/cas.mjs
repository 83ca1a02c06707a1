// node cas.mjs KEY: adds one to a number that others change too. Reads it with its ETag, and writes only if that is still the newest.
import { existsSync, readFileSync } from "node:fs";

const url = `${process.env.HOLDFAST_URL ?? "http://demo:8080"}/v1/stores/_default/keys/${process.argv[2]}`;
const token = process.env.HOLDFAST_TOKEN_FILE ?? "/var/run/secrets/kubernetes.io/serviceaccount/token";

// The token is read each time: the kubelet renews it.
const ask = (method, body, headers = {}) =>
  fetch(url, { method, body, headers: existsSync(token)
    ? { ...headers, Authorization: `Bearer ${readFileSync(token, "ascii").trim()}` } : headers });

for (;;) {
  const read = await ask("GET");
  const number = read.status === 200 ? Number(await read.text()) + 1 : 1;
  const condition = read.status === 200 ? { "If-Match": read.headers.get("ETag") } : { "If-None-Match": "*" };
  const written = await ask("PUT", String(number), condition);
  if (written.status === 412) continue; // somebody was faster: once more
  if (!written.ok) throw new Error(`${written.status}: ${await written.text()}`);
  console.log(number);
  break;
}
