#if canImport(Observation)
    import Observation

    /// Where a store stands, as a model that a view reads: it draws anew when something it reads has changed.
    ///
    /// ```swift
    /// @State private var model = StatusModel()
    /// Text(model.status?.pendingGroups == 0 ? "Saved everywhere" : "Waiting to be sent")
    ///     .task { try? await model.follow(store) }
    /// ```
    @available(iOS 17, macOS 14, *)
    @MainActor
    @Observable
    public final class StatusModel {
        /// The latest status; nil until the first one came.
        public private(set) var status: Status?

        /// A model that follows nothing yet.
        public init() {}

        /// Follows a store until it is closed or the task is cancelled.
        public func follow(_ store: Turnstone) async throws {
            for try await status in store.watchStatus() { self.status = status }
        }
    }
#endif
