/** The kernel's requests as methods. */

import type { RequestName, Requests } from "../messages/envelopes";
import { REQUEST_LABELS } from "../messages/request-labels";
import type { Reply, Send, SendOptions } from "./rpc";

export type Client = {
  readonly [Name in RequestName]: (
    body: Requests[Name]["body"],
    options?: SendOptions<Name>,
  ) => Promise<Reply<Name> | null>;
};

/** The kernel's requests, one method each. */
export function client(send: Send): Client {
  const methods = Object.entries(REQUEST_LABELS).map(([name, label]) => [
    name,
    (body: never, options?: SendOptions<RequestName>) => send(name as RequestName, label, body, options),
  ]);
  return Object.fromEntries(methods);
}
