import { Button } from "../controls/button";
import type { FoundPaths } from "../store/paths";
import type { Store } from "../store/store";
import { count, percent, signedPercent } from "../wording/words";
import { Name } from "./qk-contributors";

/** The paths that the map emphasises, strongest first, with the share of all such paths that each is. */
export function PathList({ store, found }: { store: Store; found: FoundPaths }) {
  const { title, whole, paths } = found;
  const together = paths.reduce((sum, { share }) => sum + Math.abs(share), 0);
  return (
    <section class="paths" data-test="paths">
      <h3>
        paths
        <Button
          class="link-button"
          aria-label="Close the paths"
          title="Escape"
          onClick={() => {
            store.paths.value = null;
          }}
        >
          ×
        </Button>
      </h3>
      <p class="explanation">
        {paths.length === 0
          ? `${title}: no path leads there`
          : `${title}: the ${count(paths.length, "strongest path")}, ${percent(together)} of ${whole}`}
      </p>
      {paths.map(({ nodes, share }) => (
        <p key={nodes.join(" ")} class={`path ${share < 0 ? "inhibits" : "excites"}`} data-test="path">
          <span>
            {nodes.map((id, at) => (
              <span key={id}>
                {at > 0 && " → "}
                <Name store={store} id={id} label={store.nameOf(id)} />
              </span>
            ))}
          </span>
          <span class="number">{signedPercent(share)}</span>
        </p>
      ))}
    </section>
  );
}
