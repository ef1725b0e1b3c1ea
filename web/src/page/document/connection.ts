import { computed, effect, signal } from '@preact/signals'
import { ending, session } from './desk'

/** A connection that is back within this time was never worth a word. */
const GRACE_MS = 1_500
const BACK_ONLINE_MS = 3_000
const TICK_MS = 250

const now = signal(Date.now())
const awaySince = signal<number | null>(Date.now())

/** How many changes came through after a loss; null when there is nothing to say about it. */
export const backOnline = signal<number | null>(null)

/** Whether the connection is away for long enough to say so. */
export const lost = computed(
  () =>
    session.value !== null &&
    ending.value === null &&
    awaySince.value !== null &&
    now.value - awaySince.value >= GRACE_MS,
)

/** Whole seconds until the next attempt; null while one is under way. */
export const secondsLeft = computed(() => {
  const state = session.value?.connection.value
  if (state?.phase !== 'waiting' || state.retryAt === null) return null
  return Math.max(1, Math.ceil((state.retryAt - now.value) / 1000))
})

let owed = 0
let told: ReturnType<typeof setTimeout> | undefined
let wasLost = false

const sayBackOnline = (): void => {
  wasLost = false
  backOnline.value = owed
  clearTimeout(told)
  told = setTimeout(() => {
    backOnline.value = null
  }, BACK_ONLINE_MS)
}

effect(() => {
  const phase = session.value?.connection.value.phase
  if (phase === 'open') awaySince.value = null
  else if (awaySince.peek() === null) {
    now.value = Date.now()
    awaySince.value = now.peek()
  }
})

effect(() => {
  if (awaySince.value === null) return undefined
  const timer = setInterval(() => {
    now.value = Date.now()
  }, TICK_MS)
  return () => clearInterval(timer)
})

effect(() => {
  if (!lost.value) return
  wasLost = true
  owed = session.value?.unsavedCount.value ?? 0
})

// Back online is said when what was owed is stored, not when the line is there.
effect(() => {
  const settled = session.value?.save.value === 'saved'
  if (wasLost && awaySince.value === null && settled) sayBackOnline()
})
