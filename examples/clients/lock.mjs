// node lock.mjs LOCK KEY VALUE: writes while holding a lock. The fence has the write refused (412) if the lock went to somebody
// else meanwhile, however long this process was stopped.
import { existsSync, readFileSync } from "node:fs";

const store = `${process.env.HOLDFAST_URL ?? "http://demo:8080"}/v1/stores/_default`;
const token = process.env.HOLDFAST_TOKEN_FILE ?? "/var/run/secrets/kubernetes.io/serviceaccount/token";
const [lock, key, value] = process.argv.slice(2);

async function ask(method, path, body, headers = {}) {
  if (existsSync(token)) headers.Authorization = `Bearer ${readFileSync(token, "ascii").trim()}`; // the kubelet renews it
  const answer = await fetch(store + path, { method, body, headers });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

const wanted = JSON.stringify({ owner: "lock.mjs", ttl: "30s", wait: "10s" });
// As text: the token is a 64-bit number, and JavaScript's are not.
const held = await (await ask("POST", `/locks/${lock}`, wanted, { "Content-Type": "application/json" })).text();
const [, lease] = /"lease":"([^"]*)"/.exec(held);
const [, fence] = /"token":"?(\d+)/.exec(held);
try {
  await ask("PUT", `/keys/${key}`, value, { "Holdfast-Fence": `${lock}=${fence}` });
  console.log(fence);
} finally {
  await ask("DELETE", `/locks/${lock}?lease=${lease}`);
}
