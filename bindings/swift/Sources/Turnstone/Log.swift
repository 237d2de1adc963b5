import TurnstoneFFI

/// How much a log line matters. Each level takes those above it along.
public enum LogLevel: Equatable, Sendable, CaseIterable {
    /// Something failed.
    case error
    /// Something is odd.
    case warn
    /// Something happened.
    case info
    /// For those who look for a fault: each exchange with the server, and how it ended.
    case debug
    /// Everything.
    case trace

    init(_ level: FfiLogLevel) {
        switch level {
        case .error: self = .error
        case .warn: self = .warn
        case .info: self = .info
        case .debug: self = .debug
        case .trace: self = .trace
        }
    }

    var ffi: FfiLogLevel {
        switch self {
        case .error: .error
        case .warn: .warn
        case .info: .info
        case .debug: .debug
        case .trace: .trace
        }
    }
}

/// A log line. It holds no values, row ids or tokens, at any level.
public struct LogLine: Equatable, Sendable, CustomStringConvertible {
    /// How much it matters.
    public let level: LogLevel
    /// The part of the library that wrote it.
    public let target: String
    /// What it says, in one line.
    public let text: String

    /// Level, part of the library and text, in one line.
    public var description: String { "\(level) \(target): \(text)" }
}

extension Turnstone {
    /// Sends the log lines of every store of this process to `sink`, those of `level` and above; nil: to nobody. A new sink
    /// takes the place of the last one.
    ///
    /// Lines come one at a time on a thread of their own, never on one of yours, and no call waits for the sink: where it is
    /// slow, 1,024 lines wait for it, and the rest are counted and dropped. It may call stores.
    public static func log(_ level: LogLevel = .info, to sink: (@Sendable (LogLine) -> Void)?) throws {
        try translating { try setLogSink(sink: sink.map { HostLog(sink: $0) }, level: level.ffi) }
    }
}

private final class HostLog: FfiLogSink {
    private let sink: @Sendable (LogLine) -> Void

    init(sink: @escaping @Sendable (LogLine) -> Void) { self.sink = sink }

    func log(level: FfiLogLevel, target: String, text: String) throws {
        sink(LogLine(level: LogLevel(level), target: target, text: text))
    }
}
