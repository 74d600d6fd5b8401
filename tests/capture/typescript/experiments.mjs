// The vectors and people that the Python client decides on, decided here; then the service's own experiments.
import { readFileSync } from "node:fs";
import { FeedbackClient } from "../../../clients/typescript/index.js";
import { Experiments, chosen, decide, holds, ranges, routeToVariant, shareOf } from "../../../clients/typescript/experiments.js";

const { given, url, key, nowhere } = JSON.parse(process.argv[2]);
const { hashes, ranged, choices, conditions, people, experiments, odd } = JSON.parse(readFileSync(given, "utf8"));
const said = {};
said.hashes = hashes.map(([seed, value]) => shareOf(seed, value));
said.ranges = ranged.map(([weights, coverage]) => ranges(weights, coverage));
said.choices = choices.map(([share, within]) => chosen(share, within));
said.conditions = conditions.map(([condition, attributes]) => holds(condition, attributes));
const short = ({ variant, reason, propensity, leaf, version }) => [variant, reason, propensity, leaf, version];
said.decisions = experiments.map((one) => people.map(([unit, about]) => short(decide(one, unit, about))));
said.sticky = experiments.map((one) => short(decide(one, "ada", { plan: "pro" }, { variant: "v2", propensity: 0.5, leaf: null })));
said.odd = odd.map((unit) => short(decide(experiments[0], unit)));
said.routed = [
  people.map(([unit]) => routeToVariant(unit, { v1: 0.8, v2: 0.2 }, { experiment: "tone" })),
  [routeToVariant("ada", { v1: 0.8, v2: 0.3 }, { default: "v9" }), routeToVariant("", { v1: 0, v2: 1 }), routeToVariant("ada", {})],
];

const live = new Experiments({ url, key });
said.before = live.decide("tone", "ada", {}, "mine");
await live.load();
said.live = people.map(([unit, about]) => live.decide("tone", unit, about).variant);
const kept = live.decide("tone", people[0][0], { plan: "pro" });
live.configure([]);
said.gone = live.decide("tone", people[0][0]).reason;
const feedback = new FeedbackClient({ url, key, flushAfter: 1 });
said.exposed = [live.exposed(feedback, kept, "r1", { userId: people[0][0] }), live.exposed(feedback, said.before, "r2", { userId: "ada" })];
await feedback.close();
said.metrics = feedback.metrics;
said.refused = await new Experiments({ url, key: "fbk_no" }).load().catch((error) => error.message);
const away = new Experiments({ url: nowhere, key, configuration: [experiments[0]] });
said.away = people.map(([unit, about]) => away.decide(experiments[0].name, unit, about).variant);
const started = process.cpuUsage(); // others may work on this machine
for (let n = 0; n < 20_000; n++) away.decide("tone", `u${n}`, { plan: "pro" });
const { user, system } = process.cpuUsage(started);
said.microseconds = (user + system) / 20_000;
console.log(JSON.stringify(said));
