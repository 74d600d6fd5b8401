/** A vote in any of the shapes that the API takes (docs/capture.md). */
export type Vote = Record<string, unknown>;
/** An answer: messages or prompt, output, model, request_id, prompt_version, tokens … */
export type Answer = Record<string, unknown>;

export interface Options {
  /** The service's address. */
  url: string;
  /** An API key with the scope `write`; on servers only. */
  key?: string;
  /** In a browser: its token, or what gives one (asked again when the old one has expired). */
  token?: string | (() => string | Promise<string>);
  /** In a browser: what tells this browser from others, 16 to 100 ASCII characters; made up and kept if not given. */
  session?: string;
  /** Milliseconds for one request; 5,000 by default. */
  timeout?: number;
  /** Milliseconds that background items wait for others; 200 by default. */
  flushAfter?: number;
  /** Takes personal data out of what is logged, before it leaves the process. */
  redact?: (answer: Answer) => Answer;
  /** Where background items that could not be delivered are kept for the next page or process: with a `token` the browser's `localStorage`, with a `key` nowhere (then they wait in memory). */
  spool?: Storage;
  fetch?: typeof globalThis.fetch;
}

/** The service did not take a request. */
export class DeliveryError extends Error {
  constructor(status: number, detail: string, explanation?: string, errors?: [field: string, reason: string][]);
  /** HTTP status; 0 where the service was not reached. */
  readonly status: number;
  /** The problem's code, such as `invalid`; of an unreached service, the kind of error. */
  readonly detail: string;
  readonly explanation: string;
  readonly errors: [field: string, reason: string][];
  /** The field that was wrong; the first one of several. */
  readonly field: string | null;
  /** Whether the same request may be taken later. */
  readonly worthRepeating: boolean;
}

export interface Person {
  userId?: string;
  sessionId?: string;
  snapshot?: unknown;
}

/** The verbs of the Python client. Those in the background (`submit`, `log` and what follows it) never throw. */
export class FeedbackClient {
  constructor(options: Options);
  /** Files a vote and waits until it is durable; null if the person refused collection. */
  send(vote: Vote, idempotencyKey?: string): Promise<string | null>;
  /** Files up to 5,000 votes; one result each, in order. */
  sendMany(votes: Vote[], idempotencyKey?: string): Promise<Record<string, any>[]>;
  /** One vote as it stands. */
  get(id: string, options?: { history?: boolean }): Promise<Record<string, any>>;
  /** Changes a vote: what is left out stays. */
  change(id: string, changes: Vote): Promise<Record<string, any>>;
  withdraw(id: string): Promise<void>;
  /** What a person voted on content; with `snapshot`, on it as it is shown now. */
  state(contentType: string, contentId: string, person?: Person): Promise<Record<string, any>[]>;
  /** Keeps an answer and waits until it is durable; its id. */
  logNow(answer: Answer): Promise<string>;
  /** The tags in use that look like some of these. */
  lookAlikes(tags: string[]): Promise<Record<string, string[]>>;
  /** Files a vote in the background; false if the queue is full. */
  submit(vote: Vote): boolean;
  /** Keeps an answer in the background; false if the queue is full. */
  log(answer: Answer): boolean;
  /** Files an implicit signal in the background: `copy`, `regenerate`, `edit` or `abandon`. */
  signal(requestId: string, name: string, detail?: { userId?: string; [name: string]: unknown }): boolean;
  /** Files how much of an answer a person changed before using it: 0 nothing, 1 everything. */
  edited(requestId: string, shown: string, kept: string, userId?: string): boolean;
  /** Files that a person's answer came from an arm of an experiment. */
  exposed(experiment: string, variant: string, requestId: string, userId?: string, more?: Record<string, unknown>): boolean;
  /** What became of background items so far. */
  readonly metrics: { delivered: number; refused: number; dropped: number };
  /** Waits for the background; false if it took longer. */
  flush(milliseconds?: number): Promise<boolean>;
  /** Delivers what waits; keeps what cannot be, where there is a spool. */
  close(milliseconds?: number): Promise<void>;
}

/** A token for the component on a page of `origin`, made here with the API key: no request is sent. */
export function mintToken(
  key: string,
  contentType: string,
  contentId: string,
  origin: string,
  options?: { userId?: string; seconds?: number },
): Promise<string>;

/** How far two texts are apart: 0 the same, 1 nothing in common (Ratcliff and Obershelp 1988). */
export function editDistance(shown: string, kept: string): number;
