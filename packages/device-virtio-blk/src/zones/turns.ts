/** Work that must not overlap, one after the other in the order in which it was given. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Does the work when all before it is over, whether it failed or not, and answers as it does. */
  async take<Answer> (work: () => Answer | Promise<Answer>): Promise<Answer> {
    const answer = this.#last.then(work)
    this.#last = answer.catch(() => undefined)
    return await answer
  }
}
