import NotesModel
import SwiftUI
import Turnstone
import TurnstoneHost
import UIKit

/// A notes app on Turnstone, small but whole: it works offline, says where each note stands, and syncs in the background.
@main struct NotesApp: App {
    @UIApplicationDelegateAdaptor(AppDelegate.self) private var delegate
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup {
            NotesScreen(background: delegate.background)
        }
        .onChange(of: phase) { _, phase in delegate.background.sceneChanged(phase) }
    }
}

/// What must be done before the launch has ended, and what the system tells apps in no other way.
final class AppDelegate: NSObject, UIApplicationDelegate {
    let background = TurnstoneBackground(
        ids: TaskIds(refresh: "dev.turnstone.notes.refresh", processing: "dev.turnstone.notes.processing")
    ) {
        let settings = UserDefaults.standard
        let path = try StoreFolder("Notes").path()
        let server = settings.string(forKey: "server"), token = settings.string(forKey: "token")
        var options = try Notes.options(path: path, server: server, token: token)
        options.witnessInKeychain(service: "dev.turnstone.notes")
        return try await Turnstone.open(options)
    }
    private var conditions: PathConditions?

    func application(
        _ application: UIApplication, didFinishLaunchingWithOptions launchOptions: [UIApplication.LaunchOptionsKey: Any]?
    ) -> Bool {
        do {
            try background.register()
        } catch {
            assertionFailure("\(error)")
        }
        conditions = PathConditions(background.host)
        application.registerForRemoteNotifications()
        return true
    }

    func application(
        _ application: UIApplication, didReceiveRemoteNotification userInfo: [AnyHashable: Any],
        fetchCompletionHandler completionHandler: @escaping (UIBackgroundFetchResult) -> Void
    ) {
        background.pushed(completionHandler)
    }
}
