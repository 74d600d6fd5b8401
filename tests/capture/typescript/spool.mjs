// Background items of a process that ends while the service is away, and of the one after it.
import { FeedbackClient, mintToken } from "../../../clients/typescript/index.js";

const { url, key, other, nowhere } = JSON.parse(process.argv[2]);
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

const rivals = new FeedbackClient({ url: nowhere, key: other, spool, flushAfter: 1 });
rivals.submit({ query: "theirs", response: "r", rating: 1 });
await rivals.close(1000);
for (const [name, value] of [...kept]) kept.delete(name), kept.set(name.replace(nowhere, url), value);
const ours = new FeedbackClient({ url, key, spool, flushAfter: 1 });
ours.submit({ query: "ours", response: "r", rating: 1 });
await ours.flush();
await ours.close();
said.apart = [ours.metrics, kept.size];
const theirs = new FeedbackClient({ url, key: other, spool, flushAfter: 1 });
await theirs.flush();
await theirs.close();
said.theirs = [theirs.metrics, kept.size];

const page = async (team, address, patience) => {
  const token = await mintToken(team, "qa_answer", "1", "http://localhost");
  const own = new FeedbackClient({ url: address, token, session: "s".repeat(16), spool, flushAfter: 1, fetch: asPage });
  own.submit({ kind: "explicit", content: { type: "qa_answer", id: "1" }, thumb: team === key });
  await own.flush(patience);
  await own.close(patience);
  return own.metrics;
};
const asPage = (address, options) => fetch(address, { ...options, headers: { ...options.headers, Origin: "http://localhost" } });
await page(other, nowhere, 500);
for (const [name, value] of [...kept]) kept.delete(name), kept.set(name.replace(nowhere, url), value);
said.page = [await page(key, url, 10_000), kept.size];
kept.clear();

const full = new FeedbackClient({ url: nowhere, key, flushAfter: 1 });
let taken = 0;
for (let n = 0; n < 10_050; n++) taken += full.log({ prompt: "p" });
said.bound = [taken, full.metrics.dropped];
await full.close(10);
said.bound.push(full.metrics.dropped);
console.log(JSON.stringify(said));
