// Type-check aid: signatures of androidx.work 2.10, nothing that runs. See the README beside this folder.
@file:Suppress("UNUSED_PARAMETER", "unused")

package androidx.work

import android.content.Context
import java.util.concurrent.TimeUnit

private fun aid(): Nothing = throw UnsupportedOperationException("a type-check aid")

abstract class CoroutineWorker(appContext: Context, params: WorkerParameters) : ListenableWorker(appContext, params) {
    abstract suspend fun doWork(): Result
    open suspend fun getForegroundInfo(): ForegroundInfo = aid()
}

class WorkerParameters private constructor()

class ForegroundInfo private constructor()

class Data private constructor() {
    fun getString(key: String): String? = aid()

    class Builder {
        fun putString(key: String, value: String?): Builder = aid()
        fun build(): Data = aid()
    }
}

enum class NetworkType { NOT_REQUIRED, CONNECTED, UNMETERED, NOT_ROAMING, METERED, TEMPORARILY_UNMETERED }

enum class ExistingWorkPolicy { REPLACE, KEEP, APPEND, APPEND_OR_REPLACE }

enum class ExistingPeriodicWorkPolicy { REPLACE, KEEP, UPDATE, CANCEL_AND_REENQUEUE }

enum class OutOfQuotaPolicy { RUN_AS_NON_EXPEDITED_WORK_REQUEST, DROP_WORK_REQUEST }

enum class BackoffPolicy { EXPONENTIAL, LINEAR }

class Constraints private constructor() {
    class Builder {
        fun setRequiredNetworkType(networkType: NetworkType): Builder = aid()
        fun setRequiresBatteryNotLow(requiresBatteryNotLow: Boolean): Builder = aid()
        fun setRequiresCharging(requiresCharging: Boolean): Builder = aid()
        fun build(): Constraints = aid()
    }
}

abstract class WorkRequest {
    abstract class Builder<B : Builder<B, W>, W : WorkRequest> {
        fun setConstraints(constraints: Constraints): B = aid()
        fun setInitialDelay(duration: Long, timeUnit: TimeUnit): B = aid()
        fun setInputData(inputData: Data): B = aid()
        fun setBackoffCriteria(backoffPolicy: BackoffPolicy, backoffDelay: Long, timeUnit: TimeUnit): B = aid()
        fun addTag(tag: String): B = aid()
        fun setExpedited(policy: OutOfQuotaPolicy): B = aid()
        fun build(): W = aid()
    }
}

class OneTimeWorkRequest private constructor() : WorkRequest() {
    class Builder(workerClass: Class<out ListenableWorker>) : WorkRequest.Builder<Builder, OneTimeWorkRequest>()
}

class PeriodicWorkRequest private constructor() : WorkRequest() {
    class Builder(workerClass: Class<out ListenableWorker>, repeatInterval: Long, repeatIntervalTimeUnit: TimeUnit) :
        WorkRequest.Builder<Builder, PeriodicWorkRequest>()
}

interface Operation
