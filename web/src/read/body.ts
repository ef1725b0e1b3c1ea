import { commonEnds } from '../preview/patch'

/** What comes within this time is fetched in one go. */
const GATHER_MS = 250
const RETRY_MS = 2_000

const withoutBlanks = (element: Element): Element[] => [...element.children]

/** The first block that can be seen, and where: what the reader's eye rests on must stay there. */
const anchorOf = (blocks: readonly Element[]): [Element, number] | null => {
  if (scrollY <= 0) return null
  const seen = blocks.find(block => block.getBoundingClientRect().bottom > 0)
  return seen ? [seen, seen.getBoundingClientRect().top] : null
}

/** Keeps the rendered text up to date: fetched again after changes, only the blocks that differ are replaced. */
export class Body {
  private html = ''
  private timer: ReturnType<typeof setTimeout> | undefined
  private busy = false
  private stale = false

  constructor(
    private readonly main: HTMLElement,
    private readonly address: string,
    private readonly onChange: () => void,
  ) {}

  /** Something changed: fetch soon, never twice at a time. */
  touch(delayMs = GATHER_MS): void {
    this.stale = true
    if (this.busy || this.timer !== undefined) return
    this.timer = setTimeout(() => void this.refresh(), delayMs)
  }

  private async refresh(): Promise<void> {
    this.timer = undefined
    this.busy = true
    this.stale = false
    const done = await this.fetch().catch(() => false)
    this.busy = false
    if (!done) this.touch(RETRY_MS)
    else if (this.stale) this.touch()
  }

  /** Shows the text as it is now; false when asking again may help. Rejects when the connection breaks. */
  private async fetch(): Promise<boolean> {
    // `no-cache` asks the server whether the kept copy is still right (If-None-Match).
    const response = await fetch(this.address, { cache: 'no-cache' })
    if (response.ok) this.show(await response.text())
    return response.status < 429
  }

  private show(html: string): void {
    if (html === this.html) return
    this.html = html
    const fresh = withoutBlanks(new DOMParser().parseFromString(html, 'text/html').body)
    const shown = withoutBlanks(this.main)
    const [head, tail] = commonEnds(
      shown.map(block => block.outerHTML),
      fresh.map(block => block.outerHTML),
    )
    const anchor = anchorOf([...shown.slice(0, head), ...shown.slice(shown.length - tail)])
    const before = shown[shown.length - tail] ?? null
    for (const block of shown.slice(head, shown.length - tail)) block.remove()
    for (const block of fresh.slice(head, fresh.length - tail)) this.main.insertBefore(block, before)
    if (anchor) scrollBy({ top: anchor[0].getBoundingClientRect().top - anchor[1], behavior: 'instant' })
    this.onChange()
  }
}
