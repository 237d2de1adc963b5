package dev.turnstone.android

import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.net.ConnectivityManager
import android.net.Network
import android.net.NetworkCapabilities
import android.os.BatteryManager
import android.os.Build
import android.os.Handler
import android.os.Looper
import android.os.PowerManager
import androidx.lifecycle.DefaultLifecycleObserver
import androidx.lifecycle.LifecycleOwner
import androidx.lifecycle.ProcessLifecycleOwner
import dev.turnstone.Conditions

/**
 * Tells the store what the device is like: the network, power, whether a person looks on. Everything is read again when the
 * app comes to the front, because a frozen process hears nothing; and the store believes no hint for ever.
 */
public class AndroidConditions(private val context: Context, report: (Conditions) -> Unit) {
    private val watch = DeviceWatch(report)
    private val networks = context.getSystemService(ConnectivityManager::class.java)
    private val power = context.getSystemService(PowerManager::class.java)
    private val battery = context.getSystemService(BatteryManager::class.java)

    /** Begins, for the life of the process. */
    public fun start() {
        readPower()
        listenToNetworks()
        val filter = IntentFilter(PowerManager.ACTION_POWER_SAVE_MODE_CHANGED)
        filter.addAction(Intent.ACTION_POWER_CONNECTED)
        filter.addAction(Intent.ACTION_POWER_DISCONNECTED)
        context.registerReceiver(powerChanged, filter)
        // Lifecycles are for the main thread alone.
        Handler(Looper.getMainLooper()).post { ProcessLifecycleOwner.get().lifecycle.addObserver(lifecycle) }
    }

    private fun listenToNetworks() {
        try {
            networks.registerDefaultNetworkCallback(callback)
        } catch (_: RuntimeException) {
            // Too many callbacks, or a phone that refuses them: then nothing is held back for the network.
            watch.networkUnknown()
        }
    }

    private fun readNetwork() {
        val network = networks.activeNetwork ?: return watch.noNetwork()
        networks.getNetworkCapabilities(network)?.let { watch.networkIs(facts(network, it)) }
    }

    private fun readPower(): Unit = watch.power(power.isPowerSaveMode, battery.isCharging)

    private val callback = object : ConnectivityManager.NetworkCallback() {
        override fun onCapabilitiesChanged(network: Network, capabilities: NetworkCapabilities) =
            watch.networkIs(facts(network, capabilities))

        override fun onLost(network: Network) = watch.networkLost(network.networkHandle)

        override fun onBlockedStatusChanged(network: Network, blocked: Boolean) =
            watch.networkBlocked(network.networkHandle, blocked)
    }

    private val powerChanged = object : BroadcastReceiver() {
        override fun onReceive(context: Context, intent: Intent) = readPower()
    }

    private val lifecycle = object : DefaultLifecycleObserver {
        override fun onStart(owner: LifecycleOwner) {
            readNetwork()
            readPower()
            watch.foreground(true)
        }

        override fun onStop(owner: LifecycleOwner) = watch.foreground(false)
    }
}

private fun facts(network: Network, capabilities: NetworkCapabilities): NetworkFacts =
    networkFacts(network.networkHandle, Build.VERSION.SDK_INT) { capability ->
        capabilities.hasCapability(
            when (capability) {
                Capability.Internet -> NetworkCapabilities.NET_CAPABILITY_INTERNET
                Capability.Validated -> NetworkCapabilities.NET_CAPABILITY_VALIDATED
                Capability.NotMetered -> NetworkCapabilities.NET_CAPABILITY_NOT_METERED
                Capability.TemporarilyNotMetered -> NetworkCapabilities.NET_CAPABILITY_TEMPORARILY_NOT_METERED
                Capability.NotRoaming -> NetworkCapabilities.NET_CAPABILITY_NOT_ROAMING
            },
        )
    }
