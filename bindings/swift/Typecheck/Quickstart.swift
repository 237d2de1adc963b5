// The quickstart of docs/ios.md, as it stands there. Type-checked here; a test compares the two.
import SwiftUI
import Turnstone
import TurnstoneHost
import UIKit

struct SignedIn: TokenProvider {
    func token(_ reason: TokenReason) async throws -> String { throw SignInRequired() }
}

struct NotesView: View {
    let background: TurnstoneBackground
    var body: some View { EmptyView() }
}

let notesSchema = ""

// begin
final class AppDelegate: NSObject, UIApplicationDelegate {
    // Both ids stand in Info.plist, under BGTaskSchedulerPermittedIdentifiers.
    let background = TurnstoneBackground(ids: TaskIds(refresh: "com.example.refresh", processing: "com.example.processing")) {
        let remote = Remote.custom(try URLSessionTransport("https://sync.example.com"), tokens: SignedIn())
        var options = Options(path: try StoreFolder().path(), schema: notesSchema, remote: remote, autoSync: true)
        options.witnessInKeychain(service: "com.example.notes")  // notices a database copied from another phone
        return try await Turnstone.open(options)
    }
    private var conditions: PathConditions?

    func application(
        _ application: UIApplication, didFinishLaunchingWithOptions options: [UIApplication.LaunchOptionsKey: Any]?
    ) -> Bool {
        do { try background.register() } catch { assertionFailure("\(error)") }
        conditions = PathConditions(background.host)
        return true
    }
}

@main struct ExampleApp: App {
    @UIApplicationDelegateAdaptor(AppDelegate.self) private var delegate
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup { NotesView(background: delegate.background) }
            // iOS 17. On iOS 16 the closure takes the new phase alone.
            .onChange(of: phase) { _, phase in delegate.background.sceneChanged(phase) }
    }
}
