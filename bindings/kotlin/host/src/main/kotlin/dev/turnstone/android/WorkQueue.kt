package dev.turnstone.android

/** The names under which WorkManager knows our work: unique in the app. */
public object WorkNames {
    /** A run to be had once. */
    public const val ONCE: String = "dev.turnstone.once"

    /** The look for news that comes round by itself. */
    public const val PERIODIC: String = "dev.turnstone.periodic"
}

/** What to do about work that is already there under the same name. */
public enum class Existing {
    /** It goes. If it runs, it is stopped. */
    Replace,

    /** The new work comes after it. */
    Append,
}

/** WorkManager, as far as it is used. */
public interface WorkQueue {
    /** Asks for a run. */
    public fun once(work: OneOff, existing: Existing)

    /** Takes back what was asked for. */
    public fun cancelOnce()

    /** Asks for the look for news; what was asked for before takes the new values and keeps its place in time. */
    public fun periodic(work: Periodic)

    /** Takes that back. */
    public fun cancelPeriodic()
}
