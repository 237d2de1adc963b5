// The Android library. It builds the sources that Maven tests on a computer (`turnstone`, `host`, what UniFFI wrote) together
// with the files that need Android (`src/main`). What UniFFI wrote and the native libraries both come from `make aar`: code over
// another library, as that of the test suites, calls functions that these do not have.
plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
    alias(libs.plugins.kotlin.serialization)
}

val repository = projectDir.resolve("../../..")
val made = repository.resolve("target/android")
val generated = made.resolve("kotlin")

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
    sourceSets["main"].jniLibs.srcDir(made.resolve("jni"))
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
            "The generated code is missing: run `make aar` first, which writes it with the native libraries"
        }
    }
}
tasks.named("preBuild") { dependsOn(generatedCode) }
