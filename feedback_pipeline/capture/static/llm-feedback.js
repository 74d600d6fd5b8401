/*
 * <llm-feedback>: a thumb on generated content, for any page. No dependency, no build step.
 *
 *   <script src="https://feedback.example/static/llm-feedback.js" defer></script>
 *   <llm-feedback content-type="qa_answer" content-id="42" token="fbt_…"></llm-feedback>
 *
 * Attributes: content-type, content-id, token (minted by your server) or token-url (an address of your server that
 * mints: it is sent {contents: [{content_type, content_id}]} and answers {tokens: [...]} in that order), api (the API's
 * address; default: where this script came from), snapshot (the content as shown), input, prompt-version, model,
 * project, stars, suggest, reasons (comma-separated), floating (a button for general feedback), survey (a PostHog survey
 * for it), lang, labels (JSON, other words). "false" switches stars, suggest and floating off.
 * Each attribute is a property too (contentId, tokenUrl …; labels may be an object, reasons a list).
 * Properties: renewToken, async ({type, id}) => token, asked when a token is missing or has expired.
 * Events: feedback-change {detail: {rating, stars}}, feedback-error {detail: {status}}.
 * Methods: signal(name, detail) files an implicit signal: "copy", "regenerate", "edit" {distance}, "abandon".
 * With FEEDBACK_ASK_SHARE the service has it ask about a random share of answers, one in a session at most: a line before
 * the thumbs, which takes no focus and goes with the vote.
 * Looks: parts row, asked, button, up, down, star, chip, comment, send, said, panel; --llm-feedback-accent, -background, -radius.
 * Works under `default-src 'none'; script-src <api>; connect-src <api>` and `require-trusted-types-for 'script'`.
 */
(() => {
  "use strict";
  if (!window.customElements || customElements.get("llm-feedback")) return;

  const HOME = document.currentScript ? new URL(document.currentScript.src).origin : location.origin;
  const QUEUE = "llm-feedback:queue";
  const SESSION = "llm-feedback:session";
  const MAX_QUEUE = 100;
  const RETRY_MS = 5000;
  const GATHER_MS = 15;
  const MAX_GATHERED = 100;
  const STARS_MS = 500;
  const PIECES_MS = 300;
  const KEPT_MS = 7 * 24 * 3600 * 1000;
  const KEYS = ["group", "up", "down", "thanks", "undo", "comment", "send", "close", "better", "stars", "offline", "failed",
    "withdrawn", "general", "generalComment", "more", "stored", "expired", "busy", "unreachable", "incorrect", "incomplete",
    "unclear", "too_long", "unsafe", "asked"];
  const WORDS = {
    en: "Rate this answer|Good answer|Bad answer|Thank you.|Undo|What was wrong?|Send|Close|Suggest a better answer|stars|Saved. It will be sent when you are back online.|Not saved. Please try again.|Your vote was withdrawn.|Feedback|What would you like to tell us?|Say more|Your comment is stored.|Your session has expired. Reload the page to send this.|Too many requests. It will be sent in a moment.|The feedback service cannot be reached. It will be tried again.|Incorrect|Incomplete|Unclear|Too long|Unsafe|Did this answer help?",
    de: "Antwort bewerten|Gute Antwort|Schlechte Antwort|Danke.|Rückgängig|Was war falsch?|Senden|Schließen|Bessere Antwort vorschlagen|Sterne|Gespeichert. Wird gesendet, sobald Sie wieder online sind.|Nicht gespeichert. Bitte noch einmal versuchen.|Ihre Stimme wurde zurückgezogen.|Feedback|Was möchten Sie uns sagen?|Mehr dazu sagen|Ihr Kommentar ist gespeichert.|Ihre Sitzung ist abgelaufen. Laden Sie die Seite neu, um zu senden.|Zu viele Anfragen. Wird gleich gesendet.|Der Feedback-Dienst ist nicht erreichbar. Es wird erneut versucht.|Falsch|Unvollständig|Unklar|Zu lang|Bedenklich|Hat diese Antwort geholfen?",
    fr: "Évaluer cette réponse|Bonne réponse|Mauvaise réponse|Merci.|Annuler|Qu’est-ce qui n’allait pas ?|Envoyer|Fermer|Proposer une meilleure réponse|étoiles|Enregistré. Ce sera envoyé dès que vous serez en ligne.|Non enregistré. Veuillez réessayer.|Votre vote a été retiré.|Avis|Que souhaitez-vous nous dire ?|En dire plus|Votre commentaire est enregistré.|Votre session a expiré. Rechargez la page pour envoyer.|Trop de requêtes. Ce sera envoyé dans un instant.|Le service d’avis est injoignable. Nouvel essai en cours.|Incorrect|Incomplet|Peu clair|Trop long|Dangereux|Cette réponse vous a-t-elle aidé ?",
    es: "Valorar esta respuesta|Buena respuesta|Mala respuesta|Gracias.|Deshacer|¿Qué estuvo mal?|Enviar|Cerrar|Proponer una respuesta mejor|estrellas|Guardado. Se enviará cuando vuelvas a tener conexión.|No se guardó. Inténtalo de nuevo.|Tu voto se retiró.|Comentarios|¿Qué quieres contarnos?|Decir más|Tu comentario está guardado.|Tu sesión ha caducado. Recarga la página para enviarlo.|Demasiadas solicitudes. Se enviará en un momento.|No se puede contactar con el servicio. Se volverá a intentar.|Incorrecta|Incompleta|Poco clara|Demasiado larga|Insegura|¿Te ayudó esta respuesta?",
    it: "Valuta questa risposta|Buona risposta|Risposta sbagliata|Grazie.|Annulla|Cosa non andava?|Invia|Chiudi|Suggerisci una risposta migliore|stelle|Salvato. Sarà inviato quando sarai di nuovo online.|Non salvato. Riprova.|Il tuo voto è stato ritirato.|Feedback|Cosa vuoi dirci?|Aggiungi un commento|Il tuo commento è salvato.|La sessione è scaduta. Ricarica la pagina per inviare.|Troppe richieste. Sarà inviato tra poco.|Il servizio non è raggiungibile. Riproveremo.|Errata|Incompleta|Poco chiara|Troppo lunga|Non sicura|Questa risposta è stata utile?",
    pt: "Avaliar esta resposta|Boa resposta|Má resposta|Obrigado.|Desfazer|O que estava errado?|Enviar|Fechar|Sugerir uma resposta melhor|estrelas|Guardado. Será enviado quando voltar a estar online.|Não foi guardado. Tente novamente.|O seu voto foi retirado.|Comentários|O que nos quer dizer?|Dizer mais|O seu comentário está guardado.|A sessão expirou. Recarregue a página para enviar.|Demasiados pedidos. Será enviado dentro de momentos.|O serviço não está acessível. Será tentado novamente.|Incorreta|Incompleta|Pouco clara|Demasiado longa|Insegura|Esta resposta ajudou?",
    nl: "Beoordeel dit antwoord|Goed antwoord|Slecht antwoord|Bedankt.|Ongedaan maken|Wat was er mis?|Versturen|Sluiten|Stel een beter antwoord voor|sterren|Bewaard. Wordt verstuurd zodra u weer online bent.|Niet bewaard. Probeer het opnieuw.|Uw stem is ingetrokken.|Feedback|Wat wilt u ons vertellen?|Meer vertellen|Uw opmerking is bewaard.|Uw sessie is verlopen. Herlaad de pagina om te versturen.|Te veel verzoeken. Wordt zo verstuurd.|De feedbackdienst is niet bereikbaar. Er wordt opnieuw geprobeerd.|Onjuist|Onvolledig|Onduidelijk|Te lang|Onveilig|Heeft dit antwoord geholpen?",
    pl: "Oceń tę odpowiedź|Dobra odpowiedź|Zła odpowiedź|Dziękujemy.|Cofnij|Co było nie tak?|Wyślij|Zamknij|Zaproponuj lepszą odpowiedź|gwiazdki|Zapisano. Zostanie wysłane, gdy znów będziesz online.|Nie zapisano. Spróbuj ponownie.|Twój głos został wycofany.|Opinia|Co chcesz nam powiedzieć?|Powiedz więcej|Twój komentarz jest zapisany.|Sesja wygasła. Odśwież stronę, aby wysłać.|Zbyt wiele żądań. Zostanie wysłane za chwilę.|Usługa jest nieosiągalna. Spróbujemy ponownie.|Błędna|Niepełna|Niejasna|Za długa|Niebezpieczna|Czy ta odpowiedź pomogła?",
    ja: "この回答を評価|良い回答|悪い回答|ありがとうございます。|取り消す|何が問題でしたか?|送信|閉じる|より良い回答を提案|つ星|保存しました。オンラインに戻ると送信されます。|保存できませんでした。もう一度お試しください。|評価を取り消しました。|フィードバック|ご意見をお聞かせください|詳しく伝える|コメントは保存されています。|セッションの有効期限が切れました。ページを再読み込みしてください。|リクエストが多すぎます。まもなく送信されます。|サービスに接続できません。再試行します。|不正確|不完全|わかりにくい|長すぎる|安全でない|この回答は役に立ちましたか?",
    zh: "评价此回答|好的回答|不好的回答|谢谢。|撤销|哪里有问题?|发送|关闭|建议更好的回答|星|已保存。恢复联网后将发送。|未保存,请重试。|您的评价已撤回。|反馈|您想告诉我们什么?|补充说明|您的意见已保存。|会话已过期,请刷新页面后发送。|请求过多,稍后将发送。|无法连接反馈服务,将重试。|不正确|不完整|不清楚|太长|不安全|此回答有帮助吗?",
  };
  const SVG = "http://www.w3.org/2000/svg";
  const THUMB = "M2 10h4v11H2zM22 11a2 2 0 0 0-2-2h-6l1-4.6a1.5 1.5 0 0 0-2.6-1.3L7.6 8.9A2 2 0 0 0 7 10.3V19a2 2 0 0 0 2 2h8.3a2 2 0 0 0 1.9-1.3l2.7-7.2z";
  const STYLE = `
    :host { display: inline-block; font: inherit; color: inherit; --accent: var(--llm-feedback-accent, #2563eb);
      --radius: var(--llm-feedback-radius, .5rem); --line: color-mix(in srgb, currentColor 40%, transparent); }
    :host([hidden]), [hidden] { display: none !important; }
    .row { display: flex; gap: .25rem; align-items: center; flex-wrap: wrap; }
    button, .star { font: inherit; color: inherit; background: transparent; border: 1px solid var(--line);
      border-radius: var(--radius); padding: .3rem .6rem; cursor: pointer; display: inline-flex; align-items: center;
      justify-content: center; gap: .3rem; min-block-size: 44px; min-inline-size: 44px; box-sizing: border-box; }
    button:hover { background: color-mix(in srgb, currentColor 10%, transparent); }
    button:focus-visible, textarea:focus-visible, .star:focus-within { outline: 2px solid var(--accent); outline-offset: 2px; }
    [aria-pressed="true"] { background: color-mix(in srgb, var(--accent) 22%, transparent); border-color: var(--accent); }
    .down svg { transform: rotate(180deg); }
    .star { border-color: transparent; padding: 0; position: relative; font-size: 1.4em; }
    .star input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
    .star[data-on="true"] { color: #b45309; }
    .chip { border-radius: 2rem; }
    .undo, .more, .better { border-color: transparent; text-decoration: underline; }
    form { margin-block-start: .5rem; display: grid; gap: .5rem; max-inline-size: 28rem; }
    textarea { font: inherit; color: inherit; background: transparent; inline-size: 100%; box-sizing: border-box;
      min-block-size: 4.5rem; border: 1px solid var(--line); border-radius: var(--radius); padding: .5rem; }
    textarea::placeholder { color: inherit; opacity: .7; }
    .send { background: var(--accent); border-color: var(--accent); color: #fff; }
    .send:hover { background: color-mix(in srgb, var(--accent) 85%, #000); }
    .said, .asked { opacity: .85; } .said:empty { display: none; }
    :host(.floats) { position: fixed; inset-block-end: 1rem; inset-inline-end: 1rem; z-index: 2147483000; }
    :host(.floats) form { inline-size: min(20rem, calc(100vw - 4rem)); margin: 0 0 .6rem; }
    :host(.floats) .general { border-radius: 2rem; padding-inline: 1.2rem; box-shadow: 0 2px 10px #0005; }
    :host(.floats) .general[aria-expanded="true"] { display: none; }
    :host(.floats) .panel.open, :host(.floats) .said { background: var(--llm-feedback-background, var(--page, Canvas));
      border: 1px solid var(--line); border-radius: var(--radius); padding: .8rem; box-shadow: 0 2px 16px #0005; }
    @media (prefers-reduced-motion: no-preference) { button { transition: background .12s; } }`;

  let sheet = null;
  try { sheet = new CSSStyleSheet(); sheet.replaceSync(STYLE); } catch { sheet = null; }

  const storage = {
    read(key) { try { return localStorage.getItem(key); } catch { return null; } },
    write(key, value) { try { localStorage.setItem(key, value); } catch { /* full or forbidden */ } },
  };
  let memorySession = null;

  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  const session = () => {
    let known = storage.read(SESSION) || memorySession;
    if (!known) { known = random(); storage.write(SESSION, known); memorySession = known; }
    return known;
  };

  /* The tenant that a token names, or the tenant's key: votes of two teams on one page are apart. */
  const tenantOf = (token) => {
    try {
      const part = token.slice(4).split(".")[0].replaceAll("-", "+").replaceAll("_", "/");
      const { t, h } = JSON.parse(atob(part));
      return t || h || token;
    } catch { return token; }
  };

  /* What two teams on one page say of the same content is apart, on one service and on two. */
  const apiOf = (item) => item.api || item.url.split("/v1/")[0];
  const sameTeam = (one, other) => apiOf(one) === apiOf(other)
    && (one.token && other.token ? tenantOf(one.token) === tenantOf(other.token) : one.mints === other.mints);

  /* Items {url, method, key, slot, body, token, mints}, where mints is the element's token-url. In the slot of a vote waits
     what was wanted last: the vote, or without a body that it be withdrawn. */
  const queue = {
    all() { try { const found = JSON.parse(storage.read(QUEUE) || "[]"); return Array.isArray(found) ? found : []; } catch { return []; } },
    save(items) { storage.write(QUEUE, JSON.stringify(items.slice(-MAX_QUEUE))); },
    get(key) { return this.all().find((item) => item.key === key); },
    find(slot, whose) { return this.all().find((item) => item.slot === slot && sameTeam(item, whose)); },
    add(item) { this.dropSlot(item.slot, item); this.save([...this.all(), { ...item, at: Date.now() }]); },
    drop(key) { this.save(this.all().filter((item) => item.key !== key)); },
    dropSlot(slot, whose) { this.save(this.all().filter((item) => item.slot !== slot || !sameTeam(item, whose))); },
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
        keepalive: !item.body || item.body.length < 60000,
      });
      const text = await answer.text();
      return { status: answer.status, body: text ? JSON.parse(text) : null };
    } catch {
      return { status: 0, body: null };
    } finally {
      clearTimeout(timer);
    }
  };

  /* What a vote says, or one that is withdrawn. */
  const rated = (vote) => ({ rating: vote?.thumb ?? null, stars: vote?.stars ?? null });
  const alike = (one, other) => one.rating === other.rating && one.stars === other.stars;

  const worthRepeating = (status) => status === 0 || status === 429 || status >= 500;
  const refusedToken = (status) => status === 401;

  /* What to tell a person about a request that did not go through. */
  const told = (status) => {
    if (status === 429) return "busy";
    if (refusedToken(status)) return "expired";
    if (status === 0 && navigator.onLine === false) return "offline";
    return worthRepeating(status) ? "unreachable" : "failed";
  };
  let warned = false;
  const warnOnce = (status) => {
    if (warned || status !== 0 || navigator.onLine === false) return;
    warned = true;
    console.warn(`llm-feedback: the API was not reached from ${location.origin}: is it among FEEDBACK_CORS_ORIGINS, and in connect-src?`);
  };

  /* Calls that several elements want at the same moment, as one. */
  const gathered = (send) => {
    let waiting = [];
    const later = (run) => {
      // while the page is still read, more of its elements are to come
      if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => setTimeout(run, 0), { once: true });
      else setTimeout(run, GATHER_MS);
    };
    const flush = () => { const taken = waiting.splice(0, MAX_GATHERED); if (waiting.length) setTimeout(flush, 0); send(taken); };
    return (wanted) => new Promise((resolve) => {
      waiting.push({ wanted, resolve });
      if (waiting.length === 1) later(flush);
    });
  };
  const byKey = (items, key) => {
    const groups = new Map();
    for (const item of items) groups.set(key(item), [...(groups.get(key(item)) || []), item]);
    return groups;
  };

  const mintFrom = gathered((calls) => {
    for (const [url, some] of byKey(calls, (call) => call.wanted.url)) {
      const contents = some.map(({ wanted }) => ({ content_type: wanted.type, content_id: wanted.id }));
      fetch(url, { method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ contents }) })
        .then((answer) => (answer.ok ? answer.json() : null))
        .then((body) => some.forEach((call, index) => call.resolve((body && (body.tokens ? body.tokens[index] : body.token)) || null)))
        .catch(() => some.forEach((call) => call.resolve(null)));
    }
  });

  const statesOf = gathered((calls) => {
    for (const [api, some] of byKey(calls, (call) => call.wanted.api)) {
      const items = some.map(({ wanted }) => wanted.item);
      request({ url: `${api}/v1/feedback/states`, method: "POST", token: items[0].token, body: JSON.stringify({ items }) })
        .then(({ status, body }) => some.forEach((call, index) => call.resolve(
          status === 200 ? body.results[index] : { status, items: [] })));
    }
  });

  /*
   * What one person says of one piece of content, shared by all its elements: what is wanted, what the server has, and
   * a chain in which each write waits for the one before.
   */
  class Content {
    constructor(api, type, id, mints) {
      Object.assign(this, { api, type, id, mints, views: new Set(), token: null, chain: Promise.resolve(), restored: null });
      this.wanted = rated();
      this.server = rated();
      this.commented = false;
      this.touched = false;
      this.asked = false;
    }

    get slot() { return JSON.stringify([this.type, this.id]); }
    get voteSlot() { return `${this.slot}/explicit`; }
    show(said) { for (const view of this.views) view.show(said); }

    /* A token to send with: the page's, or one that the page's server mints now. */
    async pass(renew) {
      if (this.token && !renew) return this.token;
      for (const view of this.views) {
        const token = await view.mint();
        if (token) { this.token = token; return token; }
      }
      return renew ? null : this.token;
    }

    /* A request with a token, and once more with a new one where the first has expired. */
    async send(item) {
      let token = (await this.pass(false)) || item.token;
      if (!token) return { status: 401, body: null };
      let answer = await request({ ...item, token });
      if (refusedToken(answer.status)) {
        token = await this.pass(true);
        if (token) answer = await request({ ...item, token });
      }
      warnOnce(answer.status);
      return { ...answer, token };
    }

    /* Runs after everything that is under way for this content. */
    inTurn(run) {
      const done = this.chain.then(run);
      this.chain = done.catch(() => {});
      return done;
    }

    /* What this person voted before; what still waits in the queue counts as said. */
    restore(snapshot) {
      this.restored = this.restored || this.inTurn(async () => {
        const token = await this.pass(false);
        const waiting = queue.find(this.voteSlot, this);
        if (waiting) {
          if (!this.touched) this.wanted = rated(JSON.parse(waiting.body || null));
          this.show();
          flush();
        }
        if (!token) { this.restored = null; return; }
        const item = { token, content_type: this.type, content_id: this.id };
        if (snapshot !== null) item.content_snapshot = snapshot;
        let found = await statesOf({ api: this.api, item });
        if (found.status === 401 && (await this.pass(true))) found = await statesOf({ api: this.api, item: { ...item, token: this.token } });
        if (found.status !== 200) return;
        const mine = found.items.find((one) => one.kind === "explicit");
        this.server = rated(mine);
        this.commented = Boolean(mine && mine.comment);
        this.asked = found.ask === true;
        if (!this.touched && !waiting) this.wanted = this.server;
        this.show();
      });
      return this.restored;
    }

    /* What was restored was about another text; false where something was found, or said since. */
    forget() {
      if (this.touched || !alike(this.server, rated()) || !this.restored) return false;
      this.restored = null;
      return true;
    }

    /* Takes a change at once, and writes it after everything that is under way. */
    change(wanted, extra, view) {
      this.touched = true;
      this.wanted = { ...this.wanted, ...wanted };
      this.show();
      return this.inTurn(() => this.write(extra, view));
    }

    async write(extra, view) {
      const { rating, stars } = this.wanted;
      const none = alike(this.wanted, rated());
      if (!extra && alike(this.wanted, this.server) && !queue.find(this.voteSlot, this)) {
        if (none) this.show("withdrawn");
        return 200;
      }
      const vote = none ? null : { kind: "explicit", content: { type: this.type, id: this.id }, ...extra };
      if (rating !== null) vote.thumb = rating;
      if (stars !== null) vote.stars = stars;
      const { status } = await this.file(vote, this.voteSlot, view);
      if (worthRepeating(status) || refusedToken(status)) this.show(told(status));
      else this.answered(vote, status);
      if (status >= 400) this.fail(status);
      return status;
    }

    /* What the server said of a vote, or (null) of its withdrawal. */
    answered(vote, status) {
      if (status < 300) {
        this.server = rated(vote);
        this.commented = Boolean(vote && (vote.comment || this.commented));
        this.show(vote ? (vote.comment ? "stored" : "thanks") : "withdrawn");
        this.tell();
      } else {
        if (alike(this.wanted, rated(vote))) this.wanted = this.server;
        this.show("failed");
      }
    }

    /* Files an event, or (null) takes the vote back; what cannot be delivered now waits in the browser and is sent later,
       once. With a view it is about what is shown there: all of a text that comes in pieces. */
    async file(event, slot, view) {
      const occurred_at = new Date().toISOString();
      const body = () => event && JSON.stringify({ ...event, ...view?.answer(), occurred_at });
      const item = { url: `${this.api}/v1/feedback`, method: event ? "POST" : "DELETE", key: random(), slot, token: this.token, mints: this.mints, body: body() };
      queue.add(item);
      for (; view?.telling; item.body = body()) await new Promise((done) => { setTimeout(done, PIECES_MS); });
      const answer = await this.send(item);
      if (!worthRepeating(answer.status) && !refusedToken(answer.status)) queue.drop(item.key);
      return answer;
    }

    tell() {
      for (const view of this.views) {
        view.dispatchEvent(new CustomEvent("feedback-change", { bubbles: true, composed: true,
          detail: { rating: this.wanted.rating, stars: this.wanted.stars } }));
      }
    }

    fail(status) {
      for (const view of this.views) {
        view.dispatchEvent(new CustomEvent("feedback-error", { bubbles: true, composed: true, detail: { status } }));
      }
    }
  }

  const contents = new Map();
  const contentFor = (api, type, id, token, mints) => {
    const key = JSON.stringify([api, type, id, ...(token ? [tenantOf(token)] : ["", mints])]);
    if (!contents.has(key)) contents.set(key, new Content(api, type, id, mints));
    return contents.get(key);
  };

  let flushing = null;
  const flush = () => {
    flushing = flushing || (async () => {
      for (const { key, slot, ...whose } of queue.all()) {
        // a token may have expired meanwhile: the page brings a new one for the same content
        const content = [...contents.values()].find((one) => slot.startsWith(`${one.slot}/`) && one.views.size && sameTeam(whose, one));
        const again = async () => {
          const item = queue.get(key);
          if (!item) return 200; // something else is wanted since
          const { status } = content ? await content.send(item) : await request(item);
          if (worthRepeating(status) || (refusedToken(status) && Date.now() - item.at < KEPT_MS)) return status;
          queue.drop(key);
          if (content && slot === content.voteSlot) content.answered(JSON.parse(item.body || null), status);
          document.dispatchEvent(new CustomEvent("llm-feedback-delivered", { detail: { slot, status } }));
          return status;
        };
        if (worthRepeating(await (content ? content.inTurn(again) : again()))) break;
      }
    })().catch(() => {}).finally(() => { flushing = null; });
    return flushing;
  };
  window.addEventListener("online", flush);
  setInterval(() => { if (queue.all().length && navigator.onLine !== false) flush(); }, RETRY_MS);

  class LlmFeedback extends HTMLElement {
    static observedAttributes = ["token", "token-url", "content-id", "content-type", "api", "stars", "suggest", "floating",
      "reasons", "lang", "labels", "snapshot"];

    constructor() {
      super();
      this.attachShadow({ mode: "open" });
    }

    connectedCallback() {
      try {
        this.bind();
        this.render();
        this.start();
      } catch (error) {
        console.warn("llm-feedback:", error);
      }
    }

    disconnectedCallback() { if (this.about) this.about.views.delete(this); }

    attributeChangedCallback(name, before, after) {
      if (!this.isConnected || !this.about || before === after) return;
      try {
        if (name === "snapshot") { this.retold(); return; }
        if (["token", "token-url", "content-id", "content-type", "api"].includes(name)) { this.bind(); this.start(); }
        if (name !== "token" && name !== "token-url") this.render();
        else this.show();
      } catch (error) {
        console.warn("llm-feedback:", error);
      }
    }

    /* Finds the content this element is about; a click made before the token came goes with it. */
    bind() {
      const token = this.getAttribute("token");
      const next = contentFor(this.getAttribute("api") || HOME, this.getAttribute("content-type"), this.getAttribute("content-id"), token, this.getAttribute("token-url") || "");
      if (token) next.token = token;
      if (this.about === next) return;
      const early = this.about && this.about.slot === next.slot && this.about.touched && !this.about.token ? this.about : null;
      if (this.about) this.about.views.delete(this);
      this.about = next;
      next.views.add(this);
      if (early) {
        queue.dropSlot(early.voteSlot, early);
        next.restore(this.getAttribute("snapshot"));
        next.change(early.wanted, null, this);
      }
    }

    start() {
      if (this.on("floating")) return;
      if (this.getAttribute("token") || this.hasAttribute("token-url") || this.renewToken) this.about.restore(this.getAttribute("snapshot"));
    }

    /* Text that comes in pieces: once it stands, the vote on all of it is asked for. */
    retold() {
      clearTimeout(this.telling);
      this.telling = setTimeout(() => { this.telling = 0; if (this.about.forget()) this.start(); }, PIECES_MS);
    }

    on(name) { return this.hasAttribute(name) && this.getAttribute(name) !== "false"; }

    async mint() {
      const content = { type: this.about.type, id: this.about.id };
      try {
        if (typeof this.renewToken === "function") return (await this.renewToken(content)) || null;
        const url = this.getAttribute("token-url");
        return url ? await mintFrom({ url: new URL(url, document.baseURI).href, ...content }) : null;
      } catch { return null; }
    }

    text(key) {
      const around = this.closest("[lang]");
      const lang = (around ? around.lang : "en").toLowerCase().split("-")[0];
      const own = this.getAttribute("labels");
      if (!this.words || this.words.lang !== lang || this.words.own !== own) {
        const values = (WORDS[lang] || WORDS.en).split("|");
        const map = Object.fromEntries(KEYS.map((name, index) => [name, values[index]]));
        try { Object.assign(map, JSON.parse(own || "{}")); } catch { /* keep ours */ }
        this.words = { lang, own, map };
      }
      return this.words.map[key] || key.replaceAll("_", " ");
    }

    node(tag, properties, ...children) {
      const made = document.createElement(tag);
      for (const [name, value] of Object.entries(properties || {})) {
        if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
        else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
      }
      made.append(...children);
      return made;
    }

    button(name, onclick, inside, more) {
      return this.node("button", { type: "button", class: name, part: `button ${name}`, onclick, ...more }, inside || this.text(name));
    }

    icon() {
      const svg = document.createElementNS(SVG, "svg");
      for (const [name, value] of [["viewBox", "0 0 24 24"], ["width", "18"], ["height", "18"], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("fill", "currentColor");
      path.setAttribute("d", THUMB);
      svg.append(path);
      return svg;
    }

    render() {
      const root = this.shadowRoot;
      if (sheet && "adoptedStyleSheets" in root) root.adoptedStyleSheets = [sheet];
      this.said = this.node("span", { class: "said", part: "said", role: "status", "aria-live": "polite" });
      this.panel = this.node("div", { class: "panel", part: "panel" });
      this.form = this.node("div");
      this.classList.toggle("floats", this.on("floating"));
      if (this.on("floating")) this.renderFloating();
      else this.renderRow();
      const style = sheet ? [] : [this.node("style", null, STYLE)];
      root.replaceChildren(...style, this.panel);
      this.show();
    }

    renderRow() {
      this.thumbs = {};
      const row = this.node("div", { class: "row", part: "row", role: "group", "aria-label": this.text("group") });
      this.question = this.node("span", { class: "asked", part: "asked", hidden: true }, this.text("asked"));
      row.append(this.question);
      for (const [name, rating] of [["up", true], ["down", false]]) {
        this.thumbs[name] = this.button(name, () => this.vote(rating), this.icon(), { "aria-pressed": "false", "aria-label": this.text(name), title: this.text(name) });
        row.append(this.thumbs[name]);
      }
      this.marks = [];
      if (this.on("stars")) row.append(this.renderStars());
      if (this.on("suggest")) row.append(this.button("better", () => this.correct()));
      this.moreButton = this.button("more", () => this.askWhy());
      this.undoButton = this.button("undo", () => this.undo());
      row.append(this.moreButton, this.undoButton, this.said);
      this.panel.replaceChildren(row, this.form);
    }

    renderStars() {
      // An arrow key takes the focus from one star to the next: only leaving them all files what is chosen.
      const group = this.node("div", { class: "row", role: "radiogroup", "aria-label": this.text("stars"),
        onfocusout: (event) => { if (!group.contains(event.relatedTarget)) this.commit(); } });
      const name = random();
      for (let number = 1; number <= 5; number += 1) {
        const input = this.node("input", { type: "radio", name, value: String(number), "aria-label": `${number} ${this.text("stars")}`,
          onchange: () => this.rate(number, !this.keyed), onkeydown: () => { this.keyed = true; }, onpointerdown: () => { this.keyed = false; } });
        const mark = this.node("span", { "aria-hidden": "true" }, "☆");
        this.marks.push({ input, mark, label: this.node("label", { class: "star", part: "star", onpointerdown: () => { this.keyed = false; } }, input, mark) });
        group.append(this.marks[number - 1].label);
      }
      return group;
    }

    renderFloating() {
      const general = this.button("general", () => this.openGeneral(general), this.text("general"), { class: "send general", "aria-expanded": "false" });
      this.panel.replaceChildren(this.form, this.node("div", { class: "row" }, general, this.said));
      // the panel is as opaque as the page: neither the system's colours nor ours decide
      const painted = [document.body, document.documentElement].map((one) => getComputedStyle(one).backgroundColor)
        .find((color) => color && color !== "transparent" && !/, 0\)$/.test(color));
      if (painted) this.style.setProperty("--page", painted);
    }

    async openGeneral(button) {
      const survey = this.getAttribute("survey");
      if (survey && (await this.openSurvey(survey))) return;
      button.setAttribute("aria-expanded", "true");
      this.panel.classList.add("open");
      this.ask("generalComment", [], (comment) => this.event({ kind: "comment", comment }), () => {
        button.setAttribute("aria-expanded", "false");
        this.panel.classList.remove("open");
        button.focus();
      });
    }

    /* PostHog's own pop-over, where the page has PostHog and it knows the survey; PostHog itself reports that it was shown. */
    async openSurvey(survey) {
      const posthog = window.posthog;
      if (!posthog || typeof posthog.displaySurvey !== "function" || typeof posthog.getSurveys !== "function") return false;
      try {
        const surveys = await Promise.race([
          new Promise((resolve) => { posthog.getSurveys(resolve, false); }),
          new Promise((resolve) => { setTimeout(() => resolve([]), 2000); }),
        ]);
        if (!(surveys || []).some((one) => one.id === survey)) return false;
        posthog.displaySurvey(survey, { displayType: "popover", ignoreConditions: true, ignoreDelay: true });
        return true;
      } catch { return false; }
    }

    answer() {
      const found = {};
      for (const [attribute, field] of [["snapshot", "content_snapshot"], ["input", "prompt"],
        ["prompt-version", "prompt_version"], ["model", "model"], ["project", "project"]]) {
        if (this.hasAttribute(attribute)) found[field] = this.getAttribute(attribute);
      }
      return "content_snapshot" in found ? { answer: found } : {};
    }

    show(said) {
      if (!this.about) return;
      const { rating, stars } = this.about.wanted;
      if (this.thumbs) {
        this.thumbs.up.setAttribute("aria-pressed", String(rating === true));
        this.thumbs.down.setAttribute("aria-pressed", String(rating === false));
        this.question.hidden = !this.about.asked || rating !== null || stars !== null;
        const hadFocus = this.shadowRoot.activeElement === this.undoButton;
        this.undoButton.hidden = rating === null && stars === null;
        if (hadFocus && this.undoButton.hidden) this.thumbs.up.focus();
        this.moreButton.hidden = rating !== false || this.form.hasChildNodes();
      }
      (this.marks || []).forEach(({ input, mark, label }, index) => {
        const shown = this.pending ?? stars;
        input.checked = shown === index + 1;
        label.dataset.on = String(shown !== null && index < shown);
        mark.textContent = shown !== null && index < shown ? "★" : "☆";
      });
      if (said) this.say(said);
      else if (this.about.commented && !this.said.textContent) this.say("stored");
    }

    say(key) { this.said.textContent = key ? this.text(key) : ""; }

    vote(rating) {
      if (this.about.wanted.rating === rating) {
        // a second thumb down is a wish to say more; only Undo takes a vote back that may carry words
        if (rating) this.undo();
        else if (!this.form.hasChildNodes()) this.askWhy();
        return;
      }
      this.say("");
      this.about.change({ rating }, null, this);
      if (rating) this.form.replaceChildren();
      else this.askWhy();
      this.show();
    }

    rate(stars, now) {
      this.pending = stars;
      this.show();
      clearTimeout(this.timer);
      if (now) this.commit();
      else this.timer = setTimeout(() => this.commit(), STARS_MS);
    }

    commit() {
      clearTimeout(this.timer);
      const stars = this.pending;
      this.pending = null;
      if (stars && stars !== this.about.wanted.stars) this.about.change({ stars }, null, this);
    }

    undo() {
      this.form.replaceChildren();
      this.say("");
      return this.about.change(rated());
    }

    askWhy() {
      const reasons = (this.getAttribute("reasons") || "").split(",").map((name) => name.trim()).filter(Boolean);
      this.ask("comment", reasons, (comment, chosen) => {
        const extra = {};
        if (comment) extra.comment = comment;
        if (chosen.length) extra.reasons = chosen;
        return this.about.change({ rating: false }, extra, this);
      });
      this.show();
    }

    /* Asks for words. They stay in the box until they are stored, or wait in the browser: no refusal loses them. */
    ask(label, reasons, send, closed) {
      const chosen = new Set();
      const box = this.node("textarea", { "aria-label": this.text(label), placeholder: this.text(label), maxlength: "10000", part: "comment", dir: "auto" });
      const chips = this.node("div", { class: "row" }, ...reasons.map((reason) => {
        const chip = this.button("chip", () => {
          if (!chosen.delete(reason)) chosen.add(reason);
          chip.setAttribute("aria-pressed", String(chosen.has(reason)));
        }, this.text(reason), { "aria-pressed": "false" });
        return chip;
      }));
      const close = () => {
        const inside = this.form.contains(this.shadowRoot.activeElement);
        this.form.replaceChildren();
        if (closed) closed();
        else if (inside && this.thumbs) this.thumbs[this.about.wanted.rating ? "up" : "down"].focus();
        this.show();
      };
      const form = this.node("form", {
        onsubmit: async (event) => {
          event.preventDefault();
          const words = box.value.trim();
          if (!words && !chosen.size) return;
          submit.disabled = true;
          const status = await send(words, [...chosen]);
          submit.disabled = false;
          if (status < 300 || worthRepeating(status)) close();
        },
        onkeydown: (event) => { if (event.key === "Escape") { event.stopPropagation(); close(); } },
      }, ...(reasons.length ? [chips] : []), box);
      const submit = this.button("send", null, this.text("send"), { type: "submit", class: "send submit" });
      form.append(this.node("div", { class: "row" }, submit,
        this.button("close", close)));
      this.form.replaceChildren(form);
      box.focus();
      return box;
    }

    /* An event that is no vote. */
    async event(fields, view) {
      const content = { type: this.about.type, id: this.about.id };
      const { status } = await this.about.file({ ...fields, content }, `${this.about.slot}/${random()}`, view);
      if (fields.kind !== "implicit") this.say(status < 300 ? "thanks" : told(status));
      if (status >= 400) this.about.fail(status);
      return status;
    }

    correct() {
      const box = this.ask("better", [], (correction) => this.event({ kind: "correction", correction }, this));
      box.value = this.getAttribute("snapshot") || "";
    }

    signal(name, detail) { return this.event({ kind: "implicit", value: { signal: name, ...detail } }, this); }
  }

  // React 19 and Vue set a property where the element has one of that name: each writes its attribute
  for (const name of [...LlmFeedback.observedAttributes, "input", "prompt-version", "model", "project", "survey"]) {
    Object.defineProperty(LlmFeedback.prototype, name.replace(/-./g, (two) => two[1].toUpperCase()), {
      get() { return this.getAttribute(name); },
      set(value) {
        if ((value ?? false) === false) this.removeAttribute(name);
        else this.setAttribute(name, value === true ? "" : value.constructor === Object ? JSON.stringify(value) : value);
      },
    });
  }

  customElements.define("llm-feedback", LlmFeedback);
})();
