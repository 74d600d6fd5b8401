import type { FeedbackClient } from "./index.js";

export interface Arm {
  name: string;
  /** Share of those who take part, 0 to 1. */
  weight: number;
  payload?: unknown;
}

/** An experiment as `GET /v1/experiments/configuration` gives it. */
export interface Experiment {
  name: string;
  version: number;
  arms: Arm[];
  /** The arm of everybody who does not take part. */
  default: string;
  seed: string;
  unit?: "person" | "session" | "conversation";
  /** Share of those concerned that takes part: the ramp. */
  coverage?: number;
  holdout?: number;
  layer?: string | null;
  layer_range?: [number, number];
  condition?: Record<string, unknown>;
  contexts?: { leaf: number; condition: Record<string, unknown>; weights: number[] }[];
  running?: boolean;
}

export interface Decision {
  variant: string;
  /** Why; only `assigned` and `sticky` take part. */
  reason: string;
  /** Probability of this arm among those who take part; null for whoever does not. */
  propensity: number | null;
  experiment: string;
  version: number;
  leaf: number | null;
  payload: unknown;
  takesPart: boolean;
}

/** What a unit was given before. */
export type Held = Pick<Decision, "variant" | "propensity" | "leaf">;

export interface Options {
  url: string;
  /** An API key with the scope `read`. */
  key: string;
  /** How often the experiments are read again, in the background; 30 by default. */
  refreshSeconds?: number;
  /** Milliseconds for one request; 2,000 by default. */
  timeout?: number;
  /** What decides until `load` has read the service's. */
  configuration?: Experiment[];
  fetch?: typeof globalThis.fetch;
}

/** A number in [0, 1) with four decimals, the same for the same seed and value in every language (GrowthBook's hash, version 2). */
export function shareOf(seed: string, value: string): number;
/** Half-open ranges, one an arm, each filled up to `coverage` of its weight. */
export function ranges(weights: readonly number[], coverage?: number): [number, number][];
/** The index of the range that holds the share. */
export function chosen(share: number, within: readonly (readonly [number, number])[]): number | null;
/** Whether attributes meet a condition, written as GrowthBook and MongoDB write them; what is not understood is not met. */
export function holds(condition: Record<string, unknown>, attributes: Record<string, unknown>): boolean;
/** The arm of a person; what cannot be decided gets `default`, or the first arm. */
export function routeToVariant(
  userId: unknown,
  weights: Record<string, number>,
  options?: { experiment?: string; default?: string },
): string;
/** The arm of a unit, and why. */
export function decide(
  experiment: Experiment,
  unit: unknown,
  attributes?: Record<string, unknown>,
  held?: Held | null,
): Decision;

/** The experiments of one service: decisions take microseconds and no request, and never throw. */
export class Experiments {
  constructor(options: Options);
  /** Reads them now. Until then, and where the service is away, the last known ones decide. */
  load(): Promise<void>;
  /** Takes experiments that were kept elsewhere. */
  configure(experiments: Experiment[]): void;
  decide(name: string, userId: unknown, attributes?: Record<string, unknown>, usual?: string): Decision;
  /** Files in the background that an arm was used for an answer; only of those who take part. */
  exposed(
    client: FeedbackClient,
    decision: Decision,
    requestId: string,
    person?: { userId?: string; sessionId?: string; conversationId?: string },
  ): boolean;
}
