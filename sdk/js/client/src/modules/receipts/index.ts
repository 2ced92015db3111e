/**
 * Who has got and who has read a message, in groups of any size:
 * `createClient({ …, modules: { receipts: receipts() } })` gives `client.receipts`.
 *
 * @packageDocumentation
 */
import { type CallOptions, type Module, defineModule } from "../../module.js";
import type { Message } from "../../types/message.js";
import { calls } from "./wire.js";

/** How far a message has come with a member: no device is known to have it, one has stored it, or they have read it. */
export type ReceiptState = "none" | "delivered" | "read";

/** How far a message has come with one member. */
export interface Receipt {
  readonly user: string;
  readonly state: ReceiptState;
}

/** What `client.receipts` offers. */
export interface Receipts {
  /**
   * Pages of those who are members now and were when the message was sent, its sender aside, by user id; with `state` only
   * those who are so far. What a device has acknowledged in the last seconds may be missing.
   */
  list(message: Message, options?: CallOptions & { readonly state?: ReceiptState | undefined; readonly limit?: number | undefined }): AsyncGenerator<readonly Receipt[]>;
}

const states: readonly ReceiptState[] = ["none", "delivered", "read"];

/** Receipts, for `createClient`'s `modules`. */
export const receipts = (): Module<Receipts> =>
  defineModule((host) => ({
    async *list({ conversation, seq = 0 }, { state, limit = 100, signal } = {}) {
      let page = "";
      do {
        const request = { conversation, seq, state: state ? states.indexOf(state) + 1 : 0, limit, page };
        const answer = await host.call(calls.ListReceipts, request, { signal });
        if (answer.receipts.length) yield answer.receipts.map((one) => ({ user: one.user, state: states[one.state - 1] ?? "none" }));
        page = answer.nextPage;
      } while (page);
    },
  }));
