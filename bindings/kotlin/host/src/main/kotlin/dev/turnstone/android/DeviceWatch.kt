package dev.turnstone.android

import dev.turnstone.Conditions
import dev.turnstone.Network

/** What Android can say of a network. */
public enum class Capability {
    /** It is meant to reach the internet (`NET_CAPABILITY_INTERNET`). */
    Internet,

    /** It was seen to reach the internet; a captive portal does not (`NET_CAPABILITY_VALIDATED`). */
    Validated,

    /** It costs nothing (`NET_CAPABILITY_NOT_METERED`). */
    NotMetered,

    /** It costs nothing for now; Android 11 and later (`NET_CAPABILITY_TEMPORARILY_NOT_METERED`). */
    TemporarilyNotMetered,

    /** It is not a foreign one; Android 9 and later (`NET_CAPABILITY_NOT_ROAMING`). */
    NotRoaming,
}

/**
 * A network as Android describes it.
 *
 * @property id which one: Android may report the loss of an old one after the arrival of the new.
 * @property validated whether it was seen to reach the internet.
 * @property metered whether somebody pays for it.
 * @property roaming whether it is a foreign one, as far as this Android version can tell.
 */
public data class NetworkFacts(val id: Long, val validated: Boolean, val metered: Boolean, val roaming: Boolean)

/** Reads a network's capabilities by what this Android version knows of. */
public fun networkFacts(id: Long, sdk: Int, has: (Capability) -> Boolean): NetworkFacts = NetworkFacts(
    id = id,
    validated = has(Capability.Internet) && has(Capability.Validated),
    metered = !has(Capability.NotMetered) && !(sdk >= SDK_TEMPORARILY_NOT_METERED && has(Capability.TemporarilyNotMetered)),
    // Before Android 9 nobody could ask, and a missing answer would look like roaming for ever.
    roaming = sdk >= SDK_NOT_ROAMING && !has(Capability.NotRoaming),
)

/**
 * What the device is like, put together from what Android reports piece by piece, from any thread.
 *
 * @param report hears of every change, and of nothing else.
 */
public class DeviceWatch(private val report: (Conditions) -> Unit) {
    private var network: NetworkFacts? = null
    private var isNetworkKnown = false
    private var isBlocked = false
    private var now = Conditions(foreground = false)
    private var reported: Conditions? = null

    /** The default network is this one, or has become like this. */
    public fun networkIs(facts: NetworkFacts): Unit = change {
        if (facts.id != network?.id) isBlocked = false
        network = facts
        isNetworkKnown = true
    }

    /** A network is gone. Only the loss of the present one counts. */
    public fun networkLost(id: Long): Unit = change {
        if (network == null || network?.id == id) network = null
        isNetworkKnown = true
    }

    /** There is no network at all. */
    public fun noNetwork(): Unit = change {
        network = null
        isNetworkKnown = true
    }

    /** The system blocks or unblocks this app's use of a network (Doze, Data Saver). */
    public fun networkBlocked(id: Long, blocked: Boolean): Unit = change { if (network?.id == id) isBlocked = blocked }

    /** Nothing can be known of networks here: then nothing is held back for them. */
    public fun networkUnknown(): Unit = change {
        network = null
        isNetworkKnown = false
    }

    /** Whether the device saves power, and whether it is charged. */
    public fun power(saving: Boolean, charging: Boolean): Unit = change { now = now.copy(lowPower = saving, charging = charging) }

    /** Whether a person looks at the app. */
    public fun foreground(looksOn: Boolean): Unit = change { now = now.copy(foreground = looksOn) }

    private fun change(step: () -> Unit): Unit = synchronized(this) {
        step()
        val seen = network
        now = now.copy(
            network = when {
                !isNetworkKnown -> Network.Unknown
                seen == null || isBlocked -> Network.Offline
                seen.roaming -> Network.Roaming
                seen.metered -> Network.Metered
                else -> Network.Unmetered
            },
            validated = seen?.validated ?: true,
        )
        if (now != reported) {
            reported = now
            // Inside the lock, so that reports arrive in their order.
            report(now)
        }
    }
}

private const val SDK_NOT_ROAMING: Int = 28
private const val SDK_TEMPORARILY_NOT_METERED: Int = 30
