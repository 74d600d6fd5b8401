/*
 * <llm-feedback>: a thumb on generated content, for any page. No dependency, no build step.
 *
 *   <script src="https://feedback.example/static/llm-feedback.js" defer></script>
 *   <llm-feedback content-type="qa_answer" content-id="42" token="fbt_…"></llm-feedback>
 *
 * Attributes: content-type, content-id, token (minted by your server), api (the API's address; default: where this
 * script came from), snapshot (the content as shown), input, prompt-version, stars, suggest, reasons (comma-separated),
 * floating (a button for general feedback), survey (a PostHog survey for it), lang, labels (JSON, to translate).
 * Events: feedback-change {detail: {rating, stars}}, feedback-error {detail: {status}}.
 * Methods: signal(name, detail) files an implicit signal: "copy", "regenerate", "edit" {distance}, "abandon".
 */
(() => {
  "use strict";
  if (!window.customElements || customElements.get("llm-feedback")) return;

  const HOME = document.currentScript ? new URL(document.currentScript.src).origin : location.origin;
  const QUEUE = "llm-feedback:queue";
  const SESSION = "llm-feedback:session";
  const LONGEST_QUEUE = 100;
  const RETRY_MS = 5000;
  const KEPT_MS = 7 * 24 * 3600 * 1000;
  const LABELS = {
    group: "Rate this answer", up: "Good answer", down: "Bad answer", thanks: "Thank you.", undo: "Undo",
    comment: "What was wrong?", send: "Send", close: "Close", better: "Suggest a better answer", stars: "stars",
    offline: "Saved. It will be sent when you are back online.", failed: "Not saved. Please try again.",
    withdrawn: "Your vote was withdrawn.", general: "Feedback", generalComment: "What would you like to tell us?",
    incorrect: "Incorrect", incomplete: "Incomplete", unclear: "Unclear", too_long: "Too long", unsafe: "Unsafe",
  };
  const THUMB = '<svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><path fill="currentColor" d="M2 10h4v11H2zM22 11a2 2 0 0 0-2-2h-6l1-4.6a1.5 1.5 0 0 0-2.6-1.3L7.6 8.9A2 2 0 0 0 7 10.3V19a2 2 0 0 0 2 2h8.3a2 2 0 0 0 1.9-1.3l2.7-7.2z"/></svg>';
  const STYLE = `
    :host { display: inline-block; font: 14px/1.4 system-ui, sans-serif; color: inherit; color-scheme: light dark; }
    :host([hidden]) { display: none; }
    .row { display: flex; gap: .25rem; align-items: center; flex-wrap: wrap; }
    button { font: inherit; color: inherit; background: transparent; border: 1px solid transparent; border-radius: .4rem;
      padding: .3rem .5rem; cursor: pointer; display: inline-flex; align-items: center; gap: .3rem; min-height: 2rem; }
    button:hover { border-color: color-mix(in srgb, currentColor 35%, transparent); }
    button:focus-visible, textarea:focus-visible { outline: 2px solid #3b82f6; outline-offset: 1px; }
    .thumb[aria-pressed="true"] { background: color-mix(in srgb, #2563eb 22%, transparent); border-color: #2563eb; }
    .down svg { transform: rotate(180deg); }
    .star[aria-checked="true"] { color: #d97706; }
    .chip { border-color: color-mix(in srgb, currentColor 35%, transparent); border-radius: 1rem; }
    .chip[aria-pressed="true"] { background: color-mix(in srgb, #2563eb 22%, transparent); }
    form { margin-top: .5rem; display: grid; gap: .5rem; max-width: 28rem; }
    textarea { font: inherit; color: inherit; background: Canvas; width: 100%; box-sizing: border-box; min-height: 4rem;
      border: 1px solid color-mix(in srgb, currentColor 35%, transparent); border-radius: .4rem; padding: .4rem; }
    .send { background: #2563eb; color: #fff; }
    .said { opacity: .8; } .said:empty { display: none; }
    :host([floating]) { position: fixed; inset-block-end: 1rem; inset-inline-end: 1rem; z-index: 2147483000; }
    :host([floating]) form { width: min(20rem, calc(100vw - 4rem)); margin: 0 0 .6rem; }
    :host([floating]) .general[aria-expanded="true"] { display: none; }
    :host([floating]) .panel { background: Canvas; color: CanvasText; border-radius: .6rem; padding: .8rem;
      box-shadow: 0 2px 16px #0004; }
    @media (prefers-reduced-motion: no-preference) { button { transition: background .12s; } }
    [hidden] { display: none !important; }`;

  const store = {
    read(key) { try { return localStorage.getItem(key); } catch { return null; } },
    write(key, value) { try { localStorage.setItem(key, value); } catch { /* storage is full or forbidden */ } },
  };
  let memorySession = null;

  const random = () => {
    if (crypto.randomUUID) return crypto.randomUUID();
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  const session = () => {
    let known = store.read(SESSION) || memorySession;
    if (!known) { known = random(); store.write(SESSION, known); memorySession = known; }
    return known;
  };

  const queue = {
    all() { try { return JSON.parse(store.read(QUEUE) || "[]"); } catch { return []; } },
    save(items) { store.write(QUEUE, JSON.stringify(items.slice(-LONGEST_QUEUE))); },
    add(item) { this.save([...this.all().filter((other) => other.slot !== item.slot), { ...item, at: Date.now() }]); },
    drop(key) { this.save(this.all().filter((item) => item.key !== key)); },
  };

  /* One request. Resolves to {status, body}; status 0 means that the service was not reached. */
  const request = async (item) => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 10000);
    try {
      const headers = { Authorization: `Bearer ${item.token}`, "X-Feedback-Session": session() };
      if (item.body) headers["Content-Type"] = "application/json";
      if (item.key) headers["Idempotency-Key"] = item.key;
      const answer = await fetch(item.url, {
        method: item.method, headers, body: item.body, signal: abort.signal, credentials: "omit",
        keepalive: Boolean(item.body && item.body.length < 60000),
      });
      const text = await answer.text();
      return { status: answer.status, body: text ? JSON.parse(text) : null };
    } catch {
      return { status: 0, body: null };
    } finally {
      clearTimeout(timer);
    }
  };

  const freshToken = (item) => {
    const element = Array.from(document.querySelectorAll("llm-feedback")).find((one) => item.slot.startsWith(`${one.slot_}/`));
    return element && element.getAttribute("token");
  };

  const worthRepeating = (status) => status === 0 || status === 429 || status >= 500;

  let flushing = null;
  const flush = () => {
    flushing = flushing || (async () => {
      for (const item of queue.all()) {
        // a token may have expired meanwhile: the page brings a new one for the same content
        const { status } = await request({ ...item, token: freshToken(item) || item.token });
        if (status === 401 && Date.now() - item.at < KEPT_MS) continue;
        if (worthRepeating(status)) break;
        queue.drop(item.key);
        document.dispatchEvent(new CustomEvent("llm-feedback-delivered", { detail: { slot: item.slot, status } }));
      }
    })().catch(() => {}).finally(() => { flushing = null; });
    return flushing;
  };
  window.addEventListener("online", flush);
  setInterval(() => { if (queue.all().length && navigator.onLine !== false) flush(); }, RETRY_MS);

  class LlmFeedback extends HTMLElement {
    static observedAttributes = ["token", "content-id", "content-type"];

    constructor() {
      super();
      this.state = { rating: null, stars: null, id: null };
      this.attachShadow({ mode: "open" });
    }

    connectedCallback() {
      try {
        this.render();
        this.restore();
      } catch (error) {
        console.warn("llm-feedback:", error);
      }
    }

    attributeChangedCallback(name, before, after) {
      if (!this.isConnected || before === null || before === after) return;
      if (name !== "token") { this.state = { rating: null, stars: null, id: null }; this.render(); }
      this.restore();
    }

    text(key) {
      if (!this.words) {
        this.words = { ...LABELS };
        try { Object.assign(this.words, JSON.parse(this.getAttribute("labels") || "{}")); } catch { /* keep ours */ }
      }
      return this.words[key] || key.replaceAll("_", " ");
    }

    get api() { return this.getAttribute("api") || HOME; }
    get slot_() { return `${this.getAttribute("content-type")}/${this.getAttribute("content-id")}`; }

    element(tag, properties, ...children) {
      const node = document.createElement(tag);
      for (const [name, value] of Object.entries(properties || {})) {
        if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
        else if (name === "icon") node.innerHTML = value;
        else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
      }
      node.append(...children);
      return node;
    }

    render() {
      const style = this.element("style");
      style.textContent = STYLE;
      this.said = this.element("span", { class: "said", role: "status", "aria-live": "polite" });
      this.panel = this.element("div", { class: "panel" });
      if (this.hasAttribute("floating")) this.renderFloating();
      else this.renderRow();
      this.shadowRoot.replaceChildren(style, this.panel);
      this.show();
    }

    renderRow() {
      this.thumbs = {};
      const row = this.element("div", { class: "row", role: "group", "aria-label": this.text("group") });
      for (const [name, rating] of [["up", true], ["down", false]]) {
        this.thumbs[name] = this.element("button", {
          type: "button", class: `thumb ${name}`, "aria-pressed": "false", "aria-label": this.text(name),
          title: this.text(name), icon: THUMB, onclick: () => this.vote(rating),
        });
        row.append(this.thumbs[name]);
      }
      this.starButtons = [];
      if (this.hasAttribute("stars")) row.append(this.renderStars());
      if (this.hasAttribute("suggest")) {
        row.append(this.element("button", { type: "button", class: "better", onclick: () => this.suggest() },
          this.text("better")));
      }
      this.undoButton = this.element("button", { type: "button", class: "undo", hidden: true, onclick: () => this.undo() },
        this.text("undo"));
      row.append(this.undoButton, this.said);
      this.form = this.element("div");
      this.panel.replaceChildren(row, this.form);
    }

    renderStars() {
      const group = this.element("div", { class: "row", role: "radiogroup", "aria-label": this.text("stars") });
      for (let number = 1; number <= 5; number += 1) {
        const star = this.element("button", {
          type: "button", class: "star", role: "radio", "aria-checked": "false",
          "aria-label": `${number} ${this.text("stars")}`, tabindex: number === 1 ? "0" : "-1",
          onclick: () => this.rate(number),
          onkeydown: (event) => this.moveStar(event, number),
        }, "★");
        this.starButtons.push(star);
        group.append(star);
      }
      return group;
    }

    moveStar(event, number) {
      const rtl = getComputedStyle(this).direction === "rtl";
      const forward = rtl ? "ArrowLeft" : "ArrowRight";
      const back = rtl ? "ArrowRight" : "ArrowLeft";
      const step = { [forward]: 1, ArrowUp: 1, [back]: -1, ArrowDown: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = Math.min(5, Math.max(1, number + step));
      this.starButtons[next - 1].focus();
      this.rate(next);
    }

    renderFloating() {
      this.form = this.element("div");
      const open = this.element("button", {
        type: "button", class: "send general", "aria-expanded": "false", onclick: () => this.openGeneral(open),
      }, this.text("general"));
      this.panel.replaceChildren(this.form, this.element("div", { class: "row" }, open, this.said));
    }

    openGeneral(button) {
      const survey = this.getAttribute("survey");
      if (survey && window.posthog && typeof window.posthog.renderSurvey === "function") {
        try {
          window.posthog.capture("survey shown", { $survey_id: survey });
          window.posthog.renderSurvey(survey, "body");
          return;
        } catch { /* our own form serves */ }
      }
      button.setAttribute("aria-expanded", "true");
      this.ask("generalComment", [],
        (comment) => this.file({ kind: "comment", content: this.content(), comment }, "comment"),
        () => { button.setAttribute("aria-expanded", "false"); button.focus(); });
    }

    content() { return { type: this.getAttribute("content-type"), id: this.getAttribute("content-id") }; }

    answer() {
      const found = {};
      for (const [attribute, field] of [["snapshot", "content_snapshot"], ["input", "prompt"],
        ["prompt-version", "prompt_version"], ["model", "model"], ["project", "project"]]) {
        if (this.hasAttribute(attribute)) found[field] = this.getAttribute(attribute);
      }
      return "content_snapshot" in found ? { answer: found } : {};
    }

    show() {
      const { rating, stars } = this.state;
      if (this.thumbs) {
        this.thumbs.up.setAttribute("aria-pressed", String(rating === true));
        this.thumbs.down.setAttribute("aria-pressed", String(rating === false));
        this.undoButton.hidden = rating === null && stars === null;
      }
      (this.starButtons || []).forEach((star, index) => {
        star.setAttribute("aria-checked", String(stars !== null && index < stars));
        star.tabIndex = index === Math.max(0, (stars || 1) - 1) ? 0 : -1;
      });
    }

    say(key) { this.said.textContent = key ? this.text(key) : ""; }

    /* What this person voted before; a vote that still waits in the queue counts as given. */
    async restore() {
      if (this.hasAttribute("floating") || !this.getAttribute("token")) return;
      const waiting = queue.all().find((item) => item.slot === `${this.slot_}/explicit`);
      if (waiting && waiting.body) {
        const body = JSON.parse(waiting.body);
        this.state = { rating: body.thumb ?? null, stars: body.stars ?? null, id: null };
        this.show();
        flush();
        return;
      }
      const wanted = { content_type: this.content().type, content_id: this.content().id };
      if (this.hasAttribute("snapshot")) wanted.content_snapshot = this.getAttribute("snapshot");
      const turn = this.turn = random();
      const { status, body } = await request({
        url: `${this.api}/v1/feedback/state`, method: "POST", token: this.getAttribute("token"), body: JSON.stringify(wanted),
      });
      if (status !== 200 || this.turn !== turn) return;
      const mine = body.items.find((item) => item.kind === "explicit");
      this.state = { rating: mine ? mine.thumb : null, stars: mine ? mine.stars : null, id: mine ? mine.id : null };
      this.show();
    }

    vote(rating) {
      if (this.state.rating === rating) { this.undo(); return; }
      this.save({ rating });
      if (rating === false) {
        const reasons = (this.getAttribute("reasons") || "").split(",").map((name) => name.trim()).filter(Boolean);
        this.ask("comment", reasons, (comment, chosen) => this.save({ rating, comment, reasons: chosen }));
      } else {
        this.form.replaceChildren();
      }
    }

    rate(stars) { this.save({ stars }); }

    save(change) {
      const state = { ...this.state, ...("rating" in change ? { rating: change.rating } : {}),
        ...("stars" in change ? { stars: change.stars } : {}) };
      const vote = { kind: "explicit", content: this.content(), ...this.answer() };
      if (state.rating !== null) vote.thumb = state.rating;
      if (state.stars !== null) vote.stars = state.stars;
      if (change.comment) vote.comment = change.comment;
      if (change.reasons && change.reasons.length) vote.reasons = change.reasons;
      const before = this.state;
      this.state = state;
      this.show();
      this.file(vote, "explicit", before);
    }

    /* Files a vote; what cannot be delivered now waits in the browser and is sent later, once. */
    async file(vote, kind, before) {
      this.turn = random();
      const item = {
        url: `${this.api}/v1/feedback`, method: "POST", token: this.getAttribute("token"), key: random(),
        slot: `${this.slot_}/${kind === "explicit" ? kind : random()}`,
        body: JSON.stringify({ ...vote, occurred_at: new Date().toISOString() }),
      };
      queue.add(item);
      const { status, body } = await request(item);
      if (worthRepeating(status)) { this.say("offline"); return; }
      queue.drop(item.key);
      if (status >= 400) {
        if (before) { this.state = before; this.show(); }
        this.say("failed");
        this.dispatchEvent(new CustomEvent("feedback-error", { bubbles: true, composed: true, detail: { status } }));
        return;
      }
      if (kind === "explicit" && body) this.state = { ...this.state, id: body.id };
      this.say("thanks");
      this.dispatchEvent(new CustomEvent("feedback-change", {
        bubbles: true, composed: true, detail: { rating: this.state.rating, stars: this.state.stars },
      }));
    }

    async undo() {
      const before = this.state;
      this.turn = random();
      this.state = { rating: null, stars: null, id: null };
      this.form.replaceChildren();
      this.show();
      queue.save(queue.all().filter((item) => item.slot !== `${this.slot_}/explicit`));
      if (!before.id) { this.say("withdrawn"); return; }
      const item = {
        url: `${this.api}/v1/feedback/${before.id}`, method: "DELETE", token: this.getAttribute("token"), key: random(),
        slot: `${this.slot_}/withdraw`,
      };
      const { status } = await request(item);
      if (worthRepeating(status)) { queue.add(item); this.say("offline"); return; }
      if (status >= 400 && status !== 404) { this.state = before; this.show(); this.say("failed"); return; }
      this.say("withdrawn");
      this.dispatchEvent(new CustomEvent("feedback-change", {
        bubbles: true, composed: true, detail: { rating: null, stars: null },
      }));
    }

    ask(label, reasons, send, closed) {
      const chosen = new Set();
      const box = this.element("textarea", { "aria-label": this.text(label), placeholder: this.text(label), maxlength: "10000",
        dir: "auto" });
      const chips = this.element("div", { class: "row" }, ...reasons.map((reason) => {
        const chip = this.element("button", { type: "button", class: "chip", "aria-pressed": "false", onclick: () => {
          if (!chosen.delete(reason)) chosen.add(reason);
          chip.setAttribute("aria-pressed", String(chosen.has(reason)));
        } }, this.text(reason));
        return chip;
      }));
      const close = () => { this.form.replaceChildren(); if (closed) closed(); };
      const form = this.element("form", {
        onsubmit: (event) => {
          event.preventDefault();
          const words = box.value.trim();
          if (words || chosen.size) { close(); send(words, [...chosen]); }
        },
        onkeydown: (event) => { if (event.key === "Escape") close(); },
      }, ...(reasons.length ? [chips] : []), box, this.element("div", { class: "row" },
        this.element("button", { type: "submit", class: "send submit" }, this.text("send")),
        this.element("button", { type: "button", class: "close", onclick: close }, this.text("close"))));
      this.form.replaceChildren(form);
      box.focus();
      return box;
    }

    suggest() {
      const box = this.ask("better", [], (correction) => {
        if (correction) this.file({ kind: "correction", content: this.content(), ...this.answer(), correction }, "correction");
      });
      box.value = this.getAttribute("snapshot") || "";
    }

    signal(name, detail) {
      this.file({ kind: "implicit", content: this.content(), ...this.answer(), value: { signal: name, ...(detail || {}) } },
        "implicit");
    }
  }

  customElements.define("llm-feedback", LlmFeedback);
})();
