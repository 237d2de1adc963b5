import TurnstoneFFI

/// What a watch gives: now, and again after every change. A reader that is slow gets the newest. It ends when the store is
/// closed or the task that reads it is cancelled.
public struct Watching<Element: Sendable>: AsyncSequence, Sendable {
    let open: @Sendable () async throws -> Source<Element>

    /// A reader of its own: what it waits for is opened at its first `next()`.
    public func makeAsyncIterator() -> Iterator { Iterator(open: open) }

    /// One reader.
    public struct Iterator: AsyncIteratorProtocol {
        let open: @Sendable () async throws -> Source<Element>
        private var source: Source<Element>?

        init(open: @escaping @Sendable () async throws -> Source<Element>) { self.open = open }

        /// The newest that this reader has not had yet, once there is one; nil: it is over. Throws `TurnstoneError`, or
        /// `CancellationError` when its task is cancelled.
        public mutating func next() async throws -> Element? {
            let source: Source<Element>
            if let opened = self.source {
                source = opened
            } else {
                source = try await translating { [open] in try await open() }
                self.source = source
            }
            // Cancelling a task does not stop what it waits for on the other side: that is told so.
            return try await withTaskCancellationHandler {
                try await translating { try await source.next() }
            } onCancel: {
                source.cancel()
            }
        }
    }
}

/// One opened watch. Ends with its last owner.
final class Source<Element: Sendable>: Sendable {
    let next: @Sendable () async throws -> Element?
    let cancel: @Sendable () -> Void

    init(next: @escaping @Sendable () async throws -> Element?, cancel: @escaping @Sendable () -> Void) {
        self.next = next
        self.cancel = cancel
    }

    deinit { cancel() }
}
