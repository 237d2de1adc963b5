package dev.turnstone.sample

import android.app.Application
import dev.turnstone.Options
import dev.turnstone.Remote
import dev.turnstone.SignInRequired
import dev.turnstone.android.OkHttpTransport
import dev.turnstone.android.StoreHost
import dev.turnstone.android.initAndroid

/** The app: it sets Turnstone up, so that a worker finds it in a process of its own too. */
class NotesApp : Application() {
    /** The store, and what stands between it and Android. */
    lateinit var turnstone: StoreHost
        private set

    override fun onCreate() {
        super.onCreate()
        turnstone = initAndroid(this, name = "notes") { path ->
            val token = BuildConfig.TOKEN
            val http = OkHttpTransport(BuildConfig.SERVER)
            val remote = Remote.Custom(http, tokens = { token.ifEmpty { throw SignInRequired() } })
            Options(path, SCHEMA, remote, appVersion = BuildConfig.VERSION_NAME, autoSync = true)
        }
    }
}
