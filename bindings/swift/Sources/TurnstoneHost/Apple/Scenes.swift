#if canImport(SwiftUI) && canImport(BackgroundTasks) && canImport(UIKit)
    import SwiftUI

    extension TurnstoneBackground {
        /// The app's scene phase changed. Call it from `onChange(of: scenePhase)` of the app, which is at once.
        @MainActor public func sceneChanged(_ phase: ScenePhase) {
            switch phase {
            case .active: entered()
            case .background: left()
            // Between the two, or behind a sheet of the system: nothing ends and nothing begins.
            default: break
            }
        }
    }
#endif
