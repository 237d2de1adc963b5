// The Android library. It builds the sources that Maven tests on a computer (`turnstone`, `host`, what UniFFI wrote) together
// with the files that need Android (`src/main`). The native libraries come from `make aar`.
plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
    alias(libs.plugins.kotlin.serialization)
}

val repository = projectDir.resolve("../../..")
val generated = repository.resolve("target/bindings/kotlin")

android {
    namespace = "dev.turnstone.android"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        minSdk = libs.versions.minSdk.get().toInt()
        consumerProguardFiles("consumer-rules.pro")
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    sourceSets["main"].kotlin.srcDirs(
        "src/main/kotlin",
        "../host/src/main/kotlin",
        "../turnstone/src/main/kotlin",
        "../generated/src/main/kotlin",
        generated,
    )
    // One folder for each ABI, each with libturnstone_ffi.so.
    sourceSets["main"].jniLibs.srcDir(repository.resolve("target/android/jni"))
}

kotlin {
    compilerOptions {
        jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_17
    }
}

dependencies {
    api(libs.coroutines.android)
    api(libs.serialization.core)
    api(libs.okhttp)
    implementation(libs.work.runtime)
    implementation(libs.lifecycle.process)
    implementation(variantOf(libs.jna) { artifactType("aar") })
}

val generatedCode = tasks.register("generatedCode") {
    description = "Checks that the code over the library was written."
    doLast {
        check(generated.resolve("dev/turnstone/internal").isDirectory) {
            "The generated code is missing: run `make test` or `cargo run -p turnstone-bindgen` first"
        }
    }
}
tasks.named("preBuild") { dependsOn(generatedCode) }
