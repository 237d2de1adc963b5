package dev.turnstone.android

import android.annotation.SuppressLint
import android.content.Context
import android.os.Build
import android.os.UserManager
import android.provider.Settings
import dev.turnstone.Options
import dev.turnstone.Turnstone
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes

/** The host of this process: what a worker finds when the system starts the process for it alone. */
@Volatile
internal var host: StoreHost? = null
    private set

/**
 * Sets Turnstone up for an Android app: call it in `Application.onCreate`, so that a worker finds it too. It returns at once;
 * the database is opened away from the main thread, at the first [StoreHost.store] or the first run of a worker.
 *
 * The database lies in the folder that Android neither backs up nor moves to a new phone. Give [Options.remote] as
 * [dev.turnstone.Remote.Custom] with an [OkHttpTransport]: the library for Android has no HTTP of its own.
 *
 * A copy of the database on another phone is noticed before it sends anything: a [DeviceWitness] sees to it, unless
 * [Options.witness] is one of the app's own.
 *
 * @param name of the database: letters, digits, `-` and `_`.
 * @param pollEvery how often to look for news while the app is closed: 15 minutes at least; null: never.
 * @param options makes the options from the path of the database, away from the main thread. `autoSync` should be true.
 */
@Synchronized
public fun initAndroid(
    context: Context,
    name: String = "app",
    pollEvery: Duration? = 15.minutes,
    options: (path: String) -> Options,
): StoreHost {
    host?.let { return it }
    val app = context.applicationContext
    val scope = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    val made = StoreHost(scope, AndroidWorkQueue(app), Build.VERSION.SDK_INT, System::currentTimeMillis, pollEvery) {
        Turnstone.open(deviceOptions(app.noBackupFilesDir, name, { deviceId(app) }, options))
    }
    host = made
    AndroidConditions(app, made::setConditions).start()
    return made
}

/** What no other phone has for this app; null before the phone was unlocked for the first time: no file can be read yet. */
@SuppressLint("HardwareIds")
private fun deviceId(app: Context): String? {
    val users = app.getSystemService(UserManager::class.java)
    return if (users.isUserUnlocked) Settings.Secure.getString(app.contentResolver, Settings.Secure.ANDROID_ID) else null
}
