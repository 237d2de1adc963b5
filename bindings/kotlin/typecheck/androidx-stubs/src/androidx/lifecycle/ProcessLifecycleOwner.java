// Type-check aid: signatures of androidx.lifecycle 2.9, nothing that runs. See the README beside this folder.
package androidx.lifecycle;

public final class ProcessLifecycleOwner implements LifecycleOwner {
    private ProcessLifecycleOwner() {}

    public static LifecycleOwner get() {
        throw new UnsupportedOperationException("a type-check aid");
    }

    @Override
    public Lifecycle getLifecycle() {
        throw new UnsupportedOperationException("a type-check aid");
    }
}
