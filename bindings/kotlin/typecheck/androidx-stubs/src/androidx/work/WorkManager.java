// Type-check aid: signatures of androidx.work 2.10, nothing that runs. See the README beside this folder.
package androidx.work;

import android.content.Context;

public abstract class WorkManager {
    public static WorkManager getInstance(Context context) {
        throw new UnsupportedOperationException("a type-check aid");
    }

    public abstract Operation enqueueUniqueWork(
        String uniqueWorkName, ExistingWorkPolicy existingWorkPolicy, OneTimeWorkRequest request);

    public abstract Operation enqueueUniquePeriodicWork(
        String uniqueWorkName, ExistingPeriodicWorkPolicy existingPeriodicWorkPolicy, PeriodicWorkRequest request);

    public abstract Operation cancelUniqueWork(String uniqueWorkName);
}
