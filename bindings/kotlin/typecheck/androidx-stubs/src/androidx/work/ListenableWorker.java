// Type-check aid: signatures of androidx.work 2.10, nothing that runs. See the README beside this folder.
package androidx.work;

import android.content.Context;
import java.util.Set;
import java.util.UUID;

public abstract class ListenableWorker {
    public ListenableWorker(Context appContext, WorkerParameters params) {
        throw new UnsupportedOperationException("a type-check aid");
    }

    public final Context getApplicationContext() {
        throw new UnsupportedOperationException("a type-check aid");
    }

    public final Data getInputData() {
        throw new UnsupportedOperationException("a type-check aid");
    }

    public final Set<String> getTags() {
        throw new UnsupportedOperationException("a type-check aid");
    }

    public final UUID getId() {
        throw new UnsupportedOperationException("a type-check aid");
    }

    public final int getRunAttemptCount() {
        throw new UnsupportedOperationException("a type-check aid");
    }

    public final boolean isStopped() {
        throw new UnsupportedOperationException("a type-check aid");
    }

    public abstract static class Result {
        public static Result success() {
            throw new UnsupportedOperationException("a type-check aid");
        }

        public static Result failure() {
            throw new UnsupportedOperationException("a type-check aid");
        }

        public static Result retry() {
            throw new UnsupportedOperationException("a type-check aid");
        }
    }
}
