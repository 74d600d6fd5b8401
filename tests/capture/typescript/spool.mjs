// Background items of a process that ends while the service is away, and of the one after it.
import { FeedbackClient } from "../../../clients/typescript/index.js";

const { url, key, nowhere } = JSON.parse(process.argv[2]);
const kept = new Map();
const spool = {
  get length() { return kept.size; },
  key: (n) => [...kept.keys()][n] ?? null,
  getItem: (name) => kept.get(name) ?? null,
  setItem: (name, value) => void kept.set(name, value),
  removeItem: (name) => void kept.delete(name),
};
const said = {};
const away = new FeedbackClient({ url: nowhere, key, spool, flushAfter: 1 });
for (let n = 0; n < 3; n++) away.submit({ query: "q", response: `r${n}`, rating: 1 });
away.log({ prompt: "p", output: "o", request_id: "r-1" });
await away.close(1000);
said.first = [away.metrics, kept.size];
const moved = [...kept].map(([name, value]) => [name.replace(nowhere, url), value]); // the service comes back
kept.clear();
for (const [name, value] of moved) kept.set(name, value);
const back = new FeedbackClient({ url, key, spool, flushAfter: 1 });
said.flushed = await back.flush();
await back.close();
said.second = [back.metrics, kept.size];

const full = new FeedbackClient({ url: nowhere, key, flushAfter: 1 });
let taken = 0;
for (let n = 0; n < 10_050; n++) taken += full.log({ prompt: "p" });
said.bound = [taken, full.metrics.dropped];
await full.close(10);
said.bound.push(full.metrics.dropped);
console.log(JSON.stringify(said));
