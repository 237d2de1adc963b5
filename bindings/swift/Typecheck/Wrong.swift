// Must not compile: `check.sh` fails where it does. A completion without its result is what Apple's own signature refuses too.
#if canImport(BackgroundTasks)
    import BackgroundTasks

    func complete(_ task: BGTask) { task.setTaskCompleted() }
#endif
