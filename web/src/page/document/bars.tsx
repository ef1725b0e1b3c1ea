import type { ComponentChildren, JSX } from 'preact'

/** One bar under the top bar. */
export const Bar = ({
  tone,
  children,
}: {
  tone: 'quiet' | 'warn' | 'good'
  children: ComponentChildren
}): JSX.Element => <div class={`notice ${tone}`}>{children}</div>

/** Where everything stands that the server does not have. A window of its own: this one goes on. */
export const Unsaved = (): JSX.Element => (
  <a class="button plain" href="/recover" target="_blank" rel="noopener">
    Not on the server
  </a>
)
