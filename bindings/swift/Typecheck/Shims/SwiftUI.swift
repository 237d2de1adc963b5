// A type-check aid: see README.md beside this folder.
@_exported import Foundation

@MainActor public protocol View {
    associatedtype Body: View
    @ViewBuilder var body: Body { get }
}

extension Never: View { public var body: Never { fatalError() } }

/// What every view here is made of.
public protocol Leaf: View {}
extension Leaf { public var body: Never { fatalError() } }

public struct EmptyView: Leaf { public init() {} }
public struct TupleView<Content>: Leaf {}
public struct Either<First: View, Second: View>: Leaf {}
extension Optional: View where Wrapped: View { public var body: Never { fatalError() } }

@MainActor @resultBuilder public struct ViewBuilder {
    public static func buildBlock() -> EmptyView { EmptyView() }
    public static func buildBlock<Content: View>(_ content: Content) -> Content { content }
    public static func buildBlock<each Content: View>(_ content: repeat each Content) -> TupleView<(repeat each Content)> {
        TupleView()
    }
    public static func buildEither<First: View, Second: View>(first: First) -> Either<First, Second> { Either() }
    public static func buildEither<First: View, Second: View>(second: Second) -> Either<First, Second> { Either() }
    public static func buildIf<Content: View>(_ content: Content?) -> Content? { content }
}

public struct Text: Leaf { public init(_ text: String) {} }
public struct ProgressView: Leaf { public init() {} }
public struct Label: Leaf { public init(_ title: String, systemImage: String) {} }
public struct TextEditor: Leaf { public init(text: Binding<String>) {} }
public struct TextField: Leaf {
    public enum Axis: Sendable { case vertical }
    public init(_ title: String, text: Binding<String>, axis: Axis = .vertical) {}
}
public struct Spacer: Leaf { public init() {} }
public struct Button: Leaf {
    public init(_ title: String, systemImage: String, action: @escaping @MainActor () -> Void) {}
}
public enum HorizontalAlignment: Sendable { case leading, center }
public struct VStack<Content: View>: Leaf {
    public init(alignment: HorizontalAlignment = .center, @ViewBuilder content: () -> Content) {}
}
public struct HStack<Content: View>: Leaf { public init(@ViewBuilder content: () -> Content) {} }
public struct Form<Content: View>: Leaf { public init(@ViewBuilder content: () -> Content) {} }
public struct List<Content: View>: Leaf { public init(@ViewBuilder content: () -> Content) {} }
public struct NavigationStack<Content: View>: Leaf {
    public init<Item: Hashable>(path: Binding<[Item]>, @ViewBuilder root: () -> Content) {}
}
public struct NavigationLink<Content: View>: Leaf {
    public init<Item: Hashable>(value: Item, @ViewBuilder label: () -> Content) {}
}
public struct ForEach<Item: Identifiable, Content: View>: Leaf {
    public init(_ items: [Item], @ViewBuilder content: @escaping (Item) -> Content) {}
    public func onDelete(perform action: ((IndexSet) -> Void)?) -> some View { self }
}

public struct Font: Sendable { public static let caption = Font(), headline = Font() }
public struct Style: Sendable { public static var secondary: Style { Style() } }
public enum Edge: Sendable { case top, bottom }

extension View {
    public func font(_ font: Font?) -> some View { self }
    public func foregroundStyle(_ style: Style) -> some View { self }
    public func lineLimit(_ lines: Int?) -> some View { self }
    public func padding() -> some View { self }
    public func navigationTitle(_ title: String) -> some View { self }
    public func navigationDestination<Item: Hashable, Content: View>(
        for item: Item.Type, @ViewBuilder destination: @escaping (Item) -> Content
    ) -> some View { self }
    public func toolbar<Content: View>(@ViewBuilder content: () -> Content) -> some View { self }
    public func safeAreaInset<Content: View>(edge: Edge, @ViewBuilder content: () -> Content) -> some View { self }
    public func refreshable(action: @escaping @Sendable () async -> Void) -> some View { self }
    public func task(_ action: @escaping @Sendable @MainActor () async -> Void) -> some View { self }
    public func task<Id: Equatable>(id: Id, _ action: @escaping @Sendable @MainActor () async -> Void) -> some View { self }
    public func onDisappear(perform action: (() -> Void)? = nil) -> some View { self }
    public func onChange<Value: Equatable>(of value: Value, _ action: @escaping (Value, Value) -> Void) -> some View { self }
}

@propertyWrapper public struct State<Value> {
    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
    public var wrappedValue: Value { get { fatalError() } nonmutating set {} }
    public var projectedValue: Binding<Value> { fatalError() }
}
extension State where Value: ExpressibleByNilLiteral { public init() { fatalError() } }

@propertyWrapper @dynamicMemberLookup public struct Bindable<Value: AnyObject> {
    public init(wrappedValue: Value) { fatalError() }
    public var wrappedValue: Value { fatalError() }
    public var projectedValue: Bindable<Value> { self }
    public subscript<Subject>(dynamicMember path: ReferenceWritableKeyPath<Value, Subject>) -> Binding<Subject> { fatalError() }
}

public struct Binding<Value> {}

public struct EnvironmentValues { public var scenePhase: ScenePhase { .active } }
public enum ScenePhase: Sendable { case background, inactive, active }
@propertyWrapper public struct Environment<Value> {
    public init(_ path: KeyPath<EnvironmentValues, Value>) {}
    public var wrappedValue: Value { fatalError() }
}

@MainActor public protocol App {
    associatedtype Body: Scene
    @SceneBuilder var body: Body { get }
    init()
}
extension App { public static func main() {} }
@MainActor public protocol Scene {}
extension Scene {
    public func onChange<Value: Equatable>(of value: Value, _ action: @escaping (Value, Value) -> Void) -> some Scene { self }
}
@MainActor @resultBuilder public struct SceneBuilder { public static func buildBlock<Content: Scene>(_ content: Content) -> Content { content } }
public struct WindowGroup<Content: View>: Scene { public init(@ViewBuilder content: () -> Content) {} }

@MainActor @propertyWrapper public struct UIApplicationDelegateAdaptor<Delegate: NSObject> {
    public init(_ type: Delegate.Type) {}
    public var wrappedValue: Delegate { fatalError() }
}
