/** Ends a subscription. Calling it twice does nothing. */
export interface Subscription {
  close(): void
}
