// @ts-check
// Loaded where tokens are minted: on servers, which have the key.
const DAY = 86_400;

const encoder = new TextEncoder();

/** @param {string} key @param {string} contentType @param {string} contentId @param {string} origin @param {{userId?: string, seconds?: number}} [options] */
export async function mintToken(key, contentType, contentId, origin, { userId, seconds = 3600 } = {}) {
  if (!contentType || !contentId || !origin) throw new RangeError("a token needs a content type, an id and an origin");
  if (!(seconds >= 10 && seconds <= DAY)) throw new RangeError(`seconds must be between 10 and ${DAY}`);
  const mark = await sha256(key);
  const handle = (await sha256(new Uint8Array([...encoder.encode("feedback token handle\0"), ...mark]))).slice(0, 16);
  const ends = Math.floor(Date.now() / 1000) + seconds;
  const claims = { h: base64(handle), c: [contentType, contentId], o: origin.replace(/\/+$/, ""), u: userId ?? null };
  const payload = base64(encoder.encode(JSON.stringify({ ...claims, i: crypto.randomUUID(), e: ends })));
  const signer = await crypto.subtle.importKey("raw", mark, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const signed = await crypto.subtle.sign("HMAC", signer, encoder.encode("feedback browser token\0" + payload));
  return `fbl_${payload}.${base64(new Uint8Array(signed))}`;
}

/** @param {string | Uint8Array} data */
async function sha256(data) {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", /** @type {any} */ (bytes)));
}

/** @param {Uint8Array} data */
function base64(data) {
  return btoa(String.fromCharCode(...data)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
