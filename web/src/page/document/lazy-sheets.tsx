import { lazily } from '../lazy'
import { sheet } from './desk'

/** The sheet that is open, if any. */
export const Sheets = lazily(
  () => sheet.value !== null,
  () => import('./sheets').then(part => part.Sheets),
  () => {
    sheet.value = null
  },
)
