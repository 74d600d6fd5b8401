// @ts-check
/*
 * Who gets which arm, decided in the application's own process: GrowthBook's hash (version 2) and conditions, as the
 * Python client has them. Nothing here throws but `load`.
 */
const BUCKETS = 10_000;
const MAX_UNIT = 1_000;
const MAX_HELD = 100_000;
const FALLBACK_LEAF = -1;

/** FNV-1a with 32 bits over UTF-16 code units (Fowler, Noll and Vo). @param {string} text */
function fnv1a32(text) {
  let value = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) value = Math.imul(value ^ text.charCodeAt(n), 0x01000193) >>> 0;
  return value;
}

/** @param {string} seed @param {string} value */
export function shareOf(seed, value) {
  return (fnv1a32(String(fnv1a32(seed + value))) % BUCKETS) / BUCKETS;
}

/** @param {readonly number[]} weights @param {number} [coverage] @returns {[number, number][]} */
export function ranges(weights, coverage = 1) {
  let start = 0;
  return weights.map((weight) => {
    const low = start;
    start += weight;
    return [low, low + coverage * weight];
  });
}

/** @param {number} share @param {readonly (readonly [number, number])[]} within */
export function chosen(share, within) {
  const index = within.findIndex(([low, high]) => low <= share && share < high);
  return index < 0 ? null : index;
}

/** @param {any} value */
const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
/** @param {any} value */
const isOperators = (value) =>
  isMap(value) && Object.keys(value).length > 0 && Object.keys(value).every((name) => name.startsWith("$"));

/** @param {any} a @param {any} b @returns {boolean} */
function same(a, b) {
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return (a ?? null) === (b ?? null);
  const names = Object.keys(a);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]))
  );
}

/** A number, or a text that is one; NaN otherwise. @param {any} value */
function numberOf(value) {
  if (typeof value === "number" || typeof value === "boolean") return Number(value);
  return typeof value === "string" && /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value) ? Number(value) : NaN;
}

/** @param {string} name @param {any} operand @param {any} found */
function compare(name, operand, found) {
  if (!(typeof operand === "string" && typeof found === "string")) {
    found = numberOf((found ?? null) === null && typeof operand !== "string" ? 0 : found);
    operand = numberOf(operand);
  }
  return { $gt: found > operand, $gte: found >= operand, $lt: found < operand, $lte: found <= operand }[name] ?? false;
}

/** @param {string} name @param {any} operand @param {any} found @returns {boolean} */
function operator(name, operand, found) {
  if (name === "$eq" || name === "$ne") return same(operand, found) === (name === "$eq");
  if (name === "$in" || name === "$nin") {
    if (!Array.isArray(operand)) return false;
    const values = Array.isArray(found) ? found : [found];
    return operand.some((one) => values.some((value) => same(one, value))) === (name === "$in");
  }
  if (name === "$exists") return ((found ?? null) !== null) === Boolean(operand);
  if (name === "$not") return !holdsValue(operand, found);
  return compare(name, operand, found);
}

/** @param {any} wanted @param {any} found */
function holdsValue(wanted, found) {
  if (!isOperators(wanted)) return same(wanted, found);
  return Object.entries(wanted).every(([name, operand]) => operator(name, operand, found));
}

/** @param {any} attributes @param {string} path */
function at(attributes, path) {
  let found = attributes;
  for (const part of path.split(".")) {
    if (!isMap(found) || !Object.hasOwn(found, part)) return null;
    found = found[part];
  }
  return found;
}

/** @param {any} condition @param {any} attributes @returns {boolean} */
export function holds(condition, attributes) {
  return Object.entries(condition).every(([name, value]) => {
    /** @param {any} one */
    const met = (one) => holds(one, attributes);
    if (name === "$and") return value.every(met);
    if (name === "$or") return !value.length || value.some(met);
    if (name === "$nor") return !value.some(met);
    if (name === "$not") return !met(value);
    return holdsValue(value, at(attributes, name));
  });
}

/** @param {any} userId @returns {[string, null | "no_unit" | "unit_too_long"]} */
function unitOf(userId) {
  if (!(typeof userId === "string" || Number.isSafeInteger(userId) || typeof userId === "bigint") || userId === "")
    return ["", "no_unit"];
  const name = String(userId);
  return name.length > MAX_UNIT && [...name].length > MAX_UNIT ? ["", "unit_too_long"] : [name, null];
}

/** @param {any} userId @param {Record<string, number>} weights @param {{experiment?: string, default?: string}} [options] */
export function routeToVariant(userId, weights, { experiment = "", default: given } = {}) {
  const arms = Object.keys(weights);
  const shares = Object.values(weights);
  const named = given ?? arms[0] ?? "default";
  const usable = shares.every((weight) => typeof weight === "number" && weight >= 0 && weight <= 1);
  const [unit, reason] = unitOf(userId);
  if (reason || !usable || Math.abs(shares.reduce((sum, weight) => sum + weight, 0) - 1) > 1e-6) return named;
  return arms[chosen(shareOf(experiment, unit), ranges(shares)) ?? -1] ?? named;
}

/**
 * @param {import("./experiments.js").Experiment} experiment @param {any} unit @param {any} [attributes]
 * @param {import("./experiments.js").Held | null} [held] @returns {import("./experiments.js").Decision}
 */
export function decide(experiment, unit, attributes = {}, held = null) {
  const { name, version, arms, condition = {}, contexts = [] } = experiment;
  /** @param {string} variant @param {any} reason @param {number | null} [propensity] @param {number | null} [leaf] */
  const found = (variant, reason, propensity = null, leaf = null) => ({
    variant, reason, propensity, experiment: name, version, leaf,
    payload: arms.find((arm) => arm.name === variant)?.payload ?? null,
    takesPart: reason === "assigned" || reason === "sticky",
  }); // prettier-ignore
  const [known, problem] = unitOf(unit);
  const usual = experiment.default;
  if (problem) return found(usual, problem);
  if (experiment.running === false) return found(usual, "not_running");
  if (experiment.holdout && shareOf("holdout", known) < experiment.holdout) return found(usual, "holdout");
  if (typeof experiment.layer === "string") {
    const within = chosen(shareOf(`layer:${experiment.layer}`, known), [experiment.layer_range ?? [0, 1]]);
    if (within === null) return found(usual, "layer");
  }
  if (!holds(condition, attributes)) return found(usual, "not_targeted");
  if (held && arms.some((arm) => arm.name === held.variant))
    return found(held.variant, "sticky", held.propensity, held.leaf);
  const context = contexts.find((one) => holds(one.condition, attributes));
  const weights = context?.weights ?? arms.map((arm) => arm.weight);
  const index = chosen(shareOf(experiment.seed, known), ranges(weights, experiment.coverage ?? 1));
  const arm = arms[index ?? -1];
  if (index === null || !arm) return found(usual, "ramp");
  return found(arm.name, "assigned", weights[index], contexts.length ? (context?.leaf ?? FALLBACK_LEAF) : null);
}

/** The experiments of one service, kept fresh in the background. */
export class Experiments {
  #options;
  /** @type {Map<string, import("./experiments.js").Experiment>} */
  #known = new Map();
  /** @type {Map<string, import("./experiments.js").Held>} */
  #held = new Map();
  #readAt = -Infinity;

  /** @param {import("./experiments.js").Options} options */
  constructor(options) {
    this.#options = { refreshSeconds: 30, timeout: 2000, ...options, url: options.url.replace(/\/+$/, "") };
    this.configure(options.configuration ?? []);
  }

  /** @param {import("./experiments.js").Experiment[]} experiments */
  configure(experiments) {
    this.#known = new Map(experiments.map((one) => [one.name, one]));
  }

  async load() {
    this.#readAt = performance.now();
    const { url, key, timeout, fetch = globalThis.fetch } = this.#options;
    const signal = AbortSignal.timeout(timeout ?? 2000);
    const answer = await fetch(`${url}/v1/experiments/configuration`, { headers: { Authorization: `Bearer ${key}` }, signal });
    if (!answer.ok) throw new Error(`the experiments could not be read: ${answer.status}`);
    this.configure((await answer.json()).experiments);
  }

  /** @param {string} name @param {any} userId @param {any} [attributes] @param {string} [usual] */
  decide(name, userId, attributes = {}, usual = "default") {
    if (performance.now() - this.#readAt > 1000 * (this.#options.refreshSeconds ?? 30))
      this.load().catch(() => {}); // the last known ones decide
    const experiment = this.#known.get(name);
    const nothing = { variant: usual, propensity: null, experiment: name, version: 0, leaf: null, payload: null, takesPart: false };
    try {
      if (!experiment) return { ...nothing, reason: this.#known.size ? "unknown_experiment" : "unavailable" };
      const unit = JSON.stringify([name, String(userId)]);
      const found = decide(experiment, userId, attributes, this.#held.get(unit));
      if (found.reason === "assigned") {
        this.#held.set(unit, found);
        if (this.#held.size > MAX_HELD) this.#held.delete(this.#held.keys().next().value ?? "");
      }
      return found;
    } catch {
      return { ...nothing, reason: "unavailable" }; // a decision must not break an application
    }
  }

  /**
   * @param {import("./index.js").FeedbackClient} client @param {import("./experiments.js").Decision} decision
   * @param {string} requestId @param {{userId?: string, sessionId?: string, conversationId?: string}} [person]
   */
  exposed(client, decision, requestId, { userId, sessionId, conversationId } = {}) {
    const { version, propensity, leaf } = decision;
    return (
      decision.takesPart &&
      client.exposed(decision.experiment, decision.variant, requestId, userId, {
        version, propensity: propensity ?? undefined, leaf: leaf ?? undefined, session_id: sessionId, conversation_id: conversationId,
      }) // prettier-ignore
    );
  }
}
