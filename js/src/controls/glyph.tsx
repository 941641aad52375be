import { KIND } from "../core/constants";
import type { NodeKind } from "../core/types";

interface Props {
  readonly kind: NodeKind;
  /** Index into the hues of supernodes; null for a node outside every supernode. */
  readonly color: number | null;
}

/** A node's shape, as the map draws it: feature circle, error diamond, token square, logit pentagon. */
export function Glyph({ kind, color }: Props) {
  const fill = color === null ? "var(--node-edge)" : `var(--supernode-${color})`;
  return (
    <svg class="glyph" width="10" height="10" viewBox="-5 -5 10 10" aria-hidden="true" focusable="false">
      {kind === KIND.feature && <circle r="4.2" fill={fill} />}
      {kind === KIND.error && <path d="M0-4.4 4.4 0 0 4.4-4.4 0Z" fill="none" stroke={fill} stroke-width="1.3" />}
      {kind === KIND.token && <rect x="-4" y="-4" width="8" height="8" rx="1" fill={fill} />}
      {kind === KIND.logit && <path d="M0-4.6 4.4-1.4V4.2H-4.4V-1.4Z" fill={fill} />}
    </svg>
  );
}
