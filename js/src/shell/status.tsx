/** Lines over the foot of the widget: what is running, and what went wrong. */

import { Button } from "../controls/button";
import type { Store } from "../store/store";

/** The kernel's work for this view, with its progress and a way to stop it. */
export function JobLine({ store }: { store: Store }) {
  const job = store.job.value;
  if (job === null) return null;
  return (
    <div class="status-line job" role="status" data-test="job">
      <span class="message clip">
        <b>{job.label}</b> <span class="muted">{job.text}</span>
      </span>
      <progress
        aria-label={`Progress of ${job.label}`}
        max={1}
        // Without a value the browser shows that nothing is known yet.
        {...(job.waiting || job.fraction === 0 ? {} : { value: job.fraction })}
      />
      <Button class="link-button" data-test="cancel" onClick={store.actions.cancel}>
        Cancel
      </Button>
    </div>
  );
}

/** One sentence about what went wrong and what to do, until it is dismissed. */
export function FailureLine({ store }: { store: Store }) {
  const failure = store.failure.value;
  if (failure === null) return null;
  return (
    <div class="status-line failure" role="alert" data-test="failure" data-code={failure.code}>
      <span class="message">{failure.message}</span>
      <Button class="link-button" data-test="dismiss" onClick={store.actions.dismiss}>
        Dismiss
      </Button>
    </div>
  );
}
