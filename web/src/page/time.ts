const steps: readonly [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

// Made when first wanted: on a phone the two take 20 ms, which no page should spend before its first caret.
let relative: Intl.RelativeTimeFormat | undefined
let exact: Intl.DateTimeFormat | undefined

/** A moment as people say it: "just now", "5 minutes ago", "yesterday". */
export const ago = (iso: string, nowMs = Date.now()): string => {
  relative ??= new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
  const seconds = Math.round((Date.parse(iso) - nowMs) / 1000)
  for (const [unit, size] of steps) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit)
  }
  return 'just now'
}

/** The exact local date and time, for tooltips. */
export const exactly = (iso: string): string => {
  exact ??= new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' })
  return exact.format(new Date(iso))
}
