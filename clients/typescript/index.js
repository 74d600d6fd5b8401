// @ts-check
const ATTEMPTS = 4;
const MAX_QUEUE = 10_000;
const MAX_BATCH = 500;
const ONE = "/v1/feedback";
const BATCH = `${ONE}/batch`;
const INTERACTIONS = "/v1/interactions";
const DAY = 86_400;
const KEPT_MS = 7 * DAY * 1000;
const SPOOL = "feedback-client:";

/** @param {number} milliseconds */
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

export class DeliveryError extends Error {
  /** @param {number} status @param {string} detail @param {string} [explanation] @param {[string, string][]} [errors] */
  constructor(status, detail, explanation = "", errors = []) {
    const said = [explanation, ...errors.map(([field, reason]) => `${field}: ${reason}`)].filter(Boolean).join("; ");
    super(`${status || "unreachable"} ${detail}${said && ": " + said}`);
    this.name = "DeliveryError";
    this.status = status;
    this.detail = detail;
    this.explanation = explanation;
    this.errors = errors;
  }

  get field() {
    return this.errors[0]?.[0] ?? null;
  }

  get worthRepeating() {
    return [0, 408, 429].includes(this.status) || this.status >= 500;
  }
}

export class FeedbackClient {
  #options;
  #fetch;
  /** @type {{path: string, body: any}[]} */
  #queue = [];
  /** Requests under way or kept, each with the key that makes it count once. @type {{path: string, body: any, key: string, count: number, at: number, owner?: string}[]} */
  #held = [];
  /** Those of another team, or that this page's token does not admit: another page's may. @type {any[]} */
  #aside = [];
  /** @type {Storage | undefined} */
  #store;
  #place;
  /** @type {Promise<void> | null} */
  #running = null;
  #closing = false;
  /** @type {any} */
  #token;
  metrics = { delivered: 0, refused: 0, dropped: 0 };

  /** @param {import("./index.js").Options} options */
  constructor(options) {
    this.#options = { timeout: 5000, flushAfter: 200, ...options, url: options.url.replace(/\/+$/, "") };
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.#place = `${SPOOL}${this.#options.url} `;
    this.#adopt();
    this.#place += crypto.randomUUID();
    this.#keep();
    globalThis.addEventListener?.("pagehide", () => {
      while (this.#queue.length) this.#hold();
      this.#keep();
      void this.#deliver(true);
    });
    if (this.#held.length) void this.#deliver();
  }

  /** @param {any} vote @param {string} [idempotencyKey] */
  async send(vote, idempotencyKey = crypto.randomUUID()) {
    return (await this.#patiently("POST", "/v1/feedback", vote, idempotencyKey)).id ?? null;
  }

  /** @param {any[]} votes @param {string} [idempotencyKey] */
  async sendMany(votes, idempotencyKey = crypto.randomUUID()) {
    return (await this.#patiently("POST", BATCH, { items: votes }, idempotencyKey)).results;
  }

  /** @param {string} id @param {{history?: boolean}} [options] */
  get(id, { history = false } = {}) {
    return this.#request("GET", `/v1/feedback/${encodeURIComponent(id)}?history=${history}`);
  }

  /** @param {string} id @param {any} changes */
  change(id, changes) {
    return this.#request("PUT", `/v1/feedback/${encodeURIComponent(id)}`, changes);
  }

  /** @param {string} id */
  async withdraw(id) {
    await this.#request("DELETE", `/v1/feedback/${encodeURIComponent(id)}`);
  }

  /** @param {string} contentType @param {string} contentId @param {import("./index.js").Person} [person] */
  async state(contentType, contentId, { userId, sessionId, snapshot } = {}) {
    const wanted = { content_type: contentType, content_id: contentId, user_id: userId, session_id: sessionId };
    return (await this.#request("POST", "/v1/feedback/state", { ...wanted, content_snapshot: snapshot })).items;
  }

  /** @param {any} answer */
  async logNow(answer) {
    const found = await this.#patiently("POST", INTERACTIONS, this.#redacted(answer), crypto.randomUUID());
    return found.interaction_ids[0];
  }

  /** @param {string[]} tags */
  async lookAlikes(tags) {
    /** @param {string} text */
    const bare = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
    const wanted = new Set(tags.map(bare));
    const found = Object.entries((await this.#request("GET", "/v1/tags")).look_alikes);
    return Object.fromEntries(found.filter(([tag]) => wanted.has(bare(tag))));
  }

  /** @param {any} vote */
  submit(vote) {
    return this.#put(BATCH, { idempotency_key: crypto.randomUUID(), ...vote });
  }

  /** @param {any} answer */
  log(answer) {
    try {
      return this.#put(INTERACTIONS, this.#redacted(answer));
    } catch {
      this.metrics.dropped++; // not redacted, not sent
      return false;
    }
  }

  /** @param {string} requestId @param {string} name @param {any} [detail] */
  signal(requestId, name, { userId, ...detail } = {}) {
    const value = { signal: name, ...detail };
    return this.submit({ feedback_type: "implicit", feedback_value: value, request_id: requestId, user_id: userId });
  }

  /** @param {string} requestId @param {string} shown @param {string} kept @param {string} [userId] */
  edited(requestId, shown, kept, userId) {
    return this.signal(requestId, "edit", { userId, distance: Math.round(editDistance(shown, kept) * 1e4) / 1e4 });
  }

  /** @param {string} experiment @param {string} variant @param {string} requestId @param {string} [userId] @param {any} [more] */
  exposed(experiment, variant, requestId, userId, more = {}) {
    return this.#put("/v1/exposures", { experiment, variant, request_id: requestId, user_id: userId, ...more });
  }

  async flush(milliseconds = 10_000) {
    const late = {};
    const waited = pause(milliseconds).then(() => late);
    while (this.#queue.length || this.#held.length || this.#running) {
      if ((await Promise.race([this.#deliver(), waited])) === late) return false;
      if (this.#closing && this.#held.length) return false;
    }
    return true;
  }

  async close(milliseconds = 10_000) {
    this.#closing = true;
    await this.flush(milliseconds);
    while (this.#queue.length) this.#hold();
    const kept = this.#keep();
    this.#store = undefined;
    for (const { count } of this.#held.splice(0)) if (!kept) this.metrics.dropped += count;
  }

  /** Takes over what earlier pages could not deliver. */
  #adopt() {
    try {
      const store = this.#options.spool ?? (this.#options.token && localStorage);
      if (!store) return;
      this.#store = store;
      for (let n = store.length; n--; ) {
        const name = store.key(n) ?? "";
        if (!name.startsWith(this.#place)) continue;
        const kept = store.getItem(name) ?? "";
        store.removeItem(name);
        this.#held.push(...JSON.parse(kept));
      }
    } catch {
      // forbidden, or damaged
    }
  }

  /** Writes down what waits; whether it stands there. */
  #keep() {
    try {
      const kept = [...this.#held, ...this.#aside];
      if (kept.length) this.#store?.setItem(this.#place, JSON.stringify(kept));
      else this.#store?.removeItem(this.#place);
      return Boolean(this.#store);
    } catch {
      return false; // no room
    }
  }

  /** The next request of the queue: items of one path, or one vote of a browser, which may send no batches. */
  #hold() {
    const path = this.#queue[0]?.path ?? BATCH;
    const key = crypto.randomUUID();
    const at = Date.now();
    if (this.#options.token && path === BATCH) {
      const { idempotency_key, ...body } = this.#queue.shift()?.body;
      this.#held.push({ path: ONE, body, key: idempotency_key, count: 1, at });
      return;
    }
    const other = this.#queue.findIndex((item) => item.path !== path);
    const items = this.#queue.splice(0, Math.min(MAX_BATCH, other < 0 ? MAX_BATCH : other)).map((item) => item.body);
    this.#held.push({ path, body: { items }, key, count: items.length, at });
  }

  /** @param {any} answer */
  #redacted(answer) {
    return this.#options.redact?.(answer) ?? answer;
  }

  /** @param {string} path @param {any} body */
  #put(path, body) {
    try {
      JSON.stringify(body);
    } catch {
      this.metrics.dropped++; // it can never be sent, and takes nothing with it
      return false;
    }
    if (this.#held.reduce((sum, { count }) => sum + count, this.#queue.length) >= MAX_QUEUE) {
      this.metrics.dropped++;
      return false;
    }
    this.#queue.push({ path, body });
    if (!this.#running && this.#queue.length === 1) this.#later();
    return true;
  }

  #later() {
    /** @type {any} */ (setTimeout(() => void this.#deliver(), this.#options.flushAfter)).unref?.();
  }

  /** One delivery at a time, in the order things were put. @returns {Promise<void>} */
  #deliver(leaving = false) {
    this.#running ??= this.#drain(leaving).finally(() => {
      this.#running = null;
      if (this.#queue.length && !this.#closing) this.#later(); // put after the last look, before this was said
    });
    return this.#running;
  }

  /** @param {boolean} leaving */
  async #drain(leaving) {
    while (this.#queue.length || this.#held.length) {
      if (!this.#held.length) this.#hold();
      const first = this.#held[0];
      if (!first) return;
      const { path, body, key, count, at } = first;
      const owner = await this.#owner();
      if (owner && owner !== (first.owner ??= owner)) {
        this.#aside.push(this.#held.shift());
        this.#keep();
        continue;
      }
      try {
        const found = await this.#patiently("POST", path, body, key, leaving);
        /** @type {any[]} */
        const results = found?.results ?? [];
        const refused = results.filter((result) => result.status >= 400).length;
        this.metrics.refused += refused;
        this.metrics.delivered += count - refused;
      } catch (error) {
        const { status = 0, worthRepeating } = /** @type {Partial<DeliveryError>} */ (error);
        if (worthRepeating) {
          this.#keep();
          if (this.#closing || leaving) return;
          await pause(1000 + Math.random() * 4000);
          continue;
        }
        if (this.#options.token && (status === 401 || status === 403) && Date.now() - at < KEPT_MS) this.#aside.push(first);
        else this.metrics[status ? "refused" : "dropped"] += count;
      }
      this.#held.shift();
      this.#keep();
    }
  }

  /** Whose requests it sends: a digest of the key, or the team that a token names; nothing without one. */
  async #owner() {
    try {
      const text = await this.#bearer();
      if (this.#options.key) return base64(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode("spool" + text))));
      const { t, h } = JSON.parse(atob(text.slice(4).split(".")[0].replace(/-/g, "+").replace(/_/g, "/")));
      return t ?? h;
    } catch {
      // no token now: what is sent fails and waits
    }
  }

  /** @returns {Promise<any>} */
  async #bearer() {
    const { key, token } = this.#options;
    return key ?? (this.#token ||= typeof token === "function" ? await token() : token);
  }

  /** @param {string} method @param {string} path @param {any} body @param {string} key @param {boolean} [leaving] */
  async #patiently(method, path, body, key, leaving) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#request(method, path, body, key, leaving);
      } catch (error) {
        if (!(error instanceof DeliveryError)) throw error;
        if (error.detail === "expired_token" && this.#token) this.#token = "";
        else if (!error.worthRepeating || this.#closing) throw error;
        if (attempt === ATTEMPTS) throw error;
        await pause(Math.random() * Math.min(10_000, 200 * 2 ** (attempt - 1)));
      }
    }
  }

  /** @param {string} method @param {string} path @param {any} [body] @param {string} [key] @param {boolean} [leaving] @returns {Promise<any>} */
  async #request(method, path, body, key, leaving = false) {
    const { url, timeout } = this.#options;
    const sent = body === undefined ? null : JSON.stringify(body);
    /** @type {Response} */
    let answer;
    let text;
    try {
      answer = await this.#fetch(url + path, {
        method,
        headers: await this.#headers(key),
        body: sent,
        signal: AbortSignal.timeout(timeout ?? 5000),
        keepalive: leaving,
      });
      text = await answer.text();
    } catch (error) {
      throw new DeliveryError(0, error instanceof Error ? error.name : "Error");
    }
    if (answer.status < 400) return text ? JSON.parse(text) : null;
    let problem;
    try {
      problem = JSON.parse(text);
    } catch {
      throw new DeliveryError(answer.status, "refused");
    }
    /** @type {any[]} */
    const errors = problem?.errors ?? [];
    const named = errors.map((error) => /** @type {[string, string]} */ ([String(error.field), String(error.reason)]));
    throw new DeliveryError(answer.status, String(problem?.code ?? "refused"), String(problem?.detail ?? ""), named);
  }

  /** @param {string} [key] */
  async #headers(key) {
    /** @type {Record<string, string>} */
    const headers = { "Content-Type": "application/json" };
    headers.Authorization = `Bearer ${await this.#bearer()}`;
    if (this.#options.token) headers["X-Feedback-Session"] = this.#options.session ??= keptSession();
    if (key) headers["Idempotency-Key"] = key;
    return headers;
  }
}

/** The same name as the component's, so that a page's votes are one browser's. */
function keptSession() {
  const name = "llm-feedback:session";
  try {
    const known = localStorage.getItem(name);
    if (known) return known;
    const made = crypto.randomUUID();
    localStorage.setItem(name, made);
    return made;
  } catch {
    return crypto.randomUUID();
  }
}

/** @type {typeof import("./tokens.js").mintToken} */
export const mintToken = async (...given) => (await import("./tokens.js")).mintToken(...given);

/** @param {Uint8Array} data */
function base64(data) {
  return btoa(String.fromCharCode(...data)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** Ratcliff and Obershelp (1988), as the Python client has it. @param {string} shown @param {string} kept */
export function editDistance(shown, kept) {
  const a = [...shown];
  const b = [...kept];
  /** @param {number} from @param {number} to @param {number} start @param {number} end @returns {number} */
  const common = (from, to, start, end) => {
    let best = 0;
    let [i, j] = [from, start];
    /** @type {Map<number, number>} */
    let before = new Map();
    for (let x = from; x < to; x++) {
      const row = new Map();
      for (let y = start; y < end; y++)
        if (a[x] === b[y]) {
          const length = (before.get(y - 1) ?? 0) + 1;
          row.set(y, length);
          if (length > best) [best, i, j] = [length, x - length + 1, y - length + 1];
        }
      before = row;
    }
    return best && best + common(from, i, start, j) + common(i + best, to, j + best, end);
  };
  const letters = a.length + b.length;
  return letters ? 1 - (2 * common(0, a.length, 0, b.length)) / letters : 0;
}
