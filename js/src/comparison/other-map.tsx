/** The map of the graph beside, in step with that of the displayed graph. */

import { useLayoutEffect, useMemo } from "preact/hooks";
import { MapField } from "../map/map-field";
import { otherStore } from "../store/other-store";
import type { Store } from "../store/store";

const nothing = () => {};

export function OtherMap({ store }: { store: Store }) {
  const compared = store.comparison.value;
  const made = useMemo(() => {
    if (compared === null) return null;
    const abort = new AbortController();
    return { abort, there: otherStore(store, compared, abort.signal) };
  }, [store, compared]);
  useLayoutEffect(() => {
    store.there.value = made?.there ?? null;
    return () => {
      made?.abort.abort();
      if (store.there.peek() === made?.there) store.there.value = null;
    };
  }, [store, made]);
  if (made === null) return null;
  return <MapField key={made.there} store={made.there} name="The graph beside" test="other-map" onFrame={nothing} />;
}
