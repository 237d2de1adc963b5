package dev.turnstone.android

import android.content.Context
import androidx.work.Constraints
import androidx.work.ExistingPeriodicWorkPolicy
import androidx.work.ExistingWorkPolicy
import androidx.work.NetworkType
import androidx.work.OneTimeWorkRequest
import androidx.work.OutOfQuotaPolicy
import androidx.work.PeriodicWorkRequest
import androidx.work.WorkManager
import dev.turnstone.NetworkNeed
import java.util.concurrent.TimeUnit

/** Carries out what was decided, with WorkManager. */
internal class AndroidWorkQueue(private val context: Context) : WorkQueue {
    // Asked for at the first need: an app may configure WorkManager on demand.
    private val works: WorkManager get() = WorkManager.getInstance(context)

    override fun once(work: OneOff, existing: Existing) {
        val request = OneTimeWorkRequest.Builder(TurnstoneWorker::class.java)
            .setConstraints(constraints(work.network, work.batteryNotLow))
            .addTag(WorkNames.ONCE)
        val delay = work.delay(System.currentTimeMillis()).inWholeMilliseconds
        if (delay > 0) request.setInitialDelay(delay, TimeUnit.MILLISECONDS)
        if (work.expedited) request.setExpedited(OutOfQuotaPolicy.RUN_AS_NON_EXPEDITED_WORK_REQUEST)
        val policy = when (existing) {
            Existing.Replace -> ExistingWorkPolicy.REPLACE
            Existing.Append -> ExistingWorkPolicy.APPEND_OR_REPLACE
        }
        works.enqueueUniqueWork(WorkNames.ONCE, policy, request.build())
    }

    override fun cancelOnce() {
        works.cancelUniqueWork(WorkNames.ONCE)
    }

    override fun periodic(work: Periodic) {
        val request =
            PeriodicWorkRequest.Builder(TurnstoneWorker::class.java, work.every.inWholeMilliseconds, TimeUnit.MILLISECONDS)
                .setConstraints(constraints(work.network, work.batteryNotLow))
                .addTag(WorkNames.PERIODIC)
                .build()
        works.enqueueUniquePeriodicWork(WorkNames.PERIODIC, ExistingPeriodicWorkPolicy.UPDATE, request)
    }

    override fun cancelPeriodic() {
        works.cancelUniqueWork(WorkNames.PERIODIC)
    }

    private fun constraints(network: NetworkNeed, batteryNotLow: Boolean): Constraints =
        Constraints.Builder()
            .setRequiredNetworkType(
                when (network) {
                    NetworkNeed.Connected -> NetworkType.CONNECTED
                    NetworkNeed.NotRoaming -> NetworkType.NOT_ROAMING
                    NetworkNeed.Unmetered -> NetworkType.UNMETERED
                },
            )
            .setRequiresBatteryNotLow(batteryNotLow)
            .build()
}
