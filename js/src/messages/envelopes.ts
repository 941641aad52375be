/** Messages between page and kernel; written by `python -m circuit_widget.widget.frontend_types`. */

import type {
  CompareBody,
  ComparisonMessage,
  ControlsBody,
  EffectMessage,
  ForgetBody,
  InterveneBody,
  RecallBody,
  RenameBody,
  RepeatBody,
} from "./experiment-messages";
import type {
  Card,
  CardBody,
  CheckNodesBody,
  CodeBody,
  CodeReply,
  DisplayGraphBody,
  FigureBody,
  FileReply,
  OtherWordsBody,
  PathsBody,
  PathsReply,
  ProposalsMessage,
  RetraceBody,
} from "./graph-messages";
import type { PictureReply } from "./picture-messages";
import type {
  AlignBody,
  AlignmentMessage,
  GenerateBody,
  GenerationMessage,
  SweepBody,
  SweepMessage,
  ValidateBody,
  ValidationMessage,
} from "./study-messages";

/** Nothing. */
export type Empty = Record<string, never>;

/** Request to stop another request, which is queued or running. */
export interface CancelBody {
  readonly rid: string;
}

/** A request of the page, which chooses `rid`; every message about it has the same one.

    `graph` is the number of the graph that the page displays; one for a graph that is no longer displayed is refused.
     */
export interface Request {
  readonly type: "request";
  readonly rid: string;
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly graph?: number | null;
}

/** The request is well formed and queued; `label` is its name, where the kernel names it. */
export interface Accepted {
  readonly rid: string;
  readonly label?: string | null;
  readonly type: "accepted";
}

/** How far a request is, from 0 to 1; at most ten a second. `label` names it for views that did not request it. */
export interface Progress {
  readonly rid: string;
  readonly fraction: number;
  readonly text: string;
  readonly label?: string | null;
  readonly type: "progress";
}

/** The reply to a request as far as it is; at most ten a second, each replaces the last. */
export interface Partial {
  readonly rid: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly type: "partial";
}

/** The reply to a request. */
export interface Reply {
  readonly rid: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly type: "reply";
}

/** Why a request has no reply, in a sentence for the user. */
export interface Failed {
  readonly rid: string;
  readonly code: string;
  readonly message: string;
  readonly type: "error";
}

/** A sentence for the user that belongs to no request. */
export interface Notice {
  readonly message: string;
  readonly type: "notice";
}

/** Each request's body and the body of its reply. */
export interface Requests {
  readonly ping: { readonly body: Empty; readonly reply: Empty };
  readonly intervene: { readonly body: InterveneBody; readonly reply: EffectMessage };
  readonly controls: { readonly body: ControlsBody; readonly reply: EffectMessage };
  readonly recall: { readonly body: RecallBody; readonly reply: EffectMessage };
  readonly repeat: { readonly body: RepeatBody; readonly reply: EffectMessage };
  readonly compare: { readonly body: CompareBody; readonly reply: ComparisonMessage };
  readonly rename: { readonly body: RenameBody; readonly reply: Empty };
  readonly forget: { readonly body: ForgetBody; readonly reply: Empty };
  readonly start_afresh: { readonly body: Empty; readonly reply: Empty };
  readonly bring_back: { readonly body: Empty; readonly reply: Empty };
  readonly table: { readonly body: Empty; readonly reply: FileReply };
  readonly align: { readonly body: AlignBody; readonly reply: AlignmentMessage };
  readonly sweep: { readonly body: SweepBody; readonly reply: SweepMessage };
  readonly generate: { readonly body: GenerateBody; readonly reply: GenerationMessage };
  readonly validate: { readonly body: ValidateBody; readonly reply: ValidationMessage };
  readonly retrace: { readonly body: RetraceBody; readonly reply: Empty };
  readonly display_graph: { readonly body: DisplayGraphBody; readonly reply: Empty };
  readonly compare_earlier: { readonly body: Empty; readonly reply: Empty };
  readonly other_words: { readonly body: OtherWordsBody; readonly reply: Empty };
  readonly card: { readonly body: CardBody; readonly reply: Card };
  readonly paths: { readonly body: PathsBody; readonly reply: PathsReply };
  readonly check_nodes: { readonly body: CheckNodesBody; readonly reply: Empty };
  readonly propose: { readonly body: Empty; readonly reply: ProposalsMessage };
  readonly figure: { readonly body: FigureBody; readonly reply: FileReply };
  readonly code: { readonly body: CodeBody; readonly reply: CodeReply };
  readonly picture: { readonly body: Empty; readonly reply: PictureReply };
  readonly html: { readonly body: Empty; readonly reply: FileReply };
  readonly cancel: { readonly body: CancelBody; readonly reply: Empty };
}

export type RequestName = keyof Requests;

export type KernelMessage = Accepted | Progress | Partial | Reply | Failed | Notice;
