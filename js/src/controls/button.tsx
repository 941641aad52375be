import type { JSX } from "preact";

/** A button that submits nothing. */
export function Button(props: JSX.IntrinsicElements["button"]) {
  return <button type="button" {...props} />;
}
