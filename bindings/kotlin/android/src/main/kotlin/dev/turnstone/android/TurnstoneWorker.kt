package dev.turnstone.android

import android.content.Context
import androidx.work.CoroutineWorker
import androidx.work.WorkerParameters

/** Gives the store the time that WorkManager gives. A stop cancels the run, which ends it within a second. */
public class TurnstoneWorker(context: Context, params: WorkerParameters) : CoroutineWorker(context, params) {
    override suspend fun doWork(): Result {
        // An app that does not call initAndroid in Application.onCreate has nothing to sync here.
        val host = host ?: return Result.failure()
        return when (host.run(isOnce = WorkNames.ONCE in tags)) {
            RunResult.Success -> Result.success()
            RunResult.Retry -> Result.retry()
            RunResult.Failure -> Result.failure()
        }
    }
}
