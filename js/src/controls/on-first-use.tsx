import { signal } from "@preact/signals";
import type { FunctionComponent, JSX } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { Button } from "./button";

/** A component whose code the page loads when it is first displayed; until then nothing is displayed, or why it failed. */
export function onFirstUse<Props extends object>(
  load: () => Promise<FunctionComponent<Props>>,
): FunctionComponent<Props> {
  const loaded = signal<FunctionComponent<Props> | null>(null);
  const failure = signal<string | null>(null);

  async function start(): Promise<void> {
    failure.value = null;
    try {
      loaded.value = await load();
    } catch (error) {
      failure.value = (error as Error).message;
    }
  }

  return function OnFirstUse(props: Props): JSX.Element | null {
    const Loaded = loaded.value;
    useLayoutEffect(() => {
      if (loaded.peek() === null) void start();
    }, []);
    if (Loaded !== null) return <Loaded {...props} />;
    return failure.value === null ? null : <Failed why={failure.value} onRetry={() => void start()} />;
  };
}

function Failed({ why, onRetry }: { why: string; onRetry: () => void }) {
  return (
    <p class="none" role="alert" data-test="load-failed">
      {`This part of the widget could not be loaded (${why}). `}
      <Button class="link-button" data-test="load-again" onClick={onRetry}>
        try again
      </Button>
    </p>
  );
}
