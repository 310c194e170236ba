// A Firefox that asks for nothing by itself: no first-run page, no update, no telemetry, no list, no probe of the network.
user_pref('app.normandy.enabled', false);
user_pref('app.shield.optoutstudies.enabled', false);
user_pref('app.update.enabled', false);
user_pref('app.update.disabledForTesting', true);
user_pref('browser.aboutwelcome.enabled', false);
user_pref('browser.discovery.enabled', false);
user_pref('browser.newtab.preload', false);
user_pref('browser.newtabpage.activity-stream.feeds.section.topstories', false);
user_pref('browser.newtabpage.activity-stream.feeds.system.topstories', false);
user_pref('browser.newtabpage.activity-stream.feeds.topsites', false);
user_pref('browser.newtabpage.enabled', false);
user_pref('browser.ping-centre.telemetry', false);
user_pref('browser.region.network.url', '');
user_pref('browser.region.update.enabled', false);
user_pref('browser.safebrowsing.blockedURIs.enabled', false);
user_pref('browser.safebrowsing.downloads.enabled', false);
user_pref('browser.safebrowsing.downloads.remote.enabled', false);
user_pref('browser.safebrowsing.malware.enabled', false);
user_pref('browser.safebrowsing.phishing.enabled', false);
user_pref('browser.safebrowsing.update.enabled', false);
user_pref('browser.search.update', false);
user_pref('browser.shell.checkDefaultBrowser', false);
user_pref('browser.startup.homepage', 'about:blank');
user_pref('browser.startup.homepage_override.mstone', 'ignore');
user_pref('browser.startup.page', 0);
user_pref('browser.topsites.contile.enabled', false);
user_pref('browser.translations.enable', false);
user_pref('browser.urlbar.merino.enabled', false);
user_pref('captivedetect.canonicalURL', '');
user_pref('datareporting.healthreport.uploadEnabled', false);
user_pref('datareporting.policy.dataSubmissionEnabled', false);
user_pref('datareporting.usage.uploadEnabled', false);
user_pref('dom.push.connection.enabled', false);
user_pref('dom.push.enabled', false);
user_pref('extensions.blocklist.enabled', false);
user_pref('extensions.getAddons.cache.enabled', false);
user_pref('extensions.systemAddon.update.enabled', false);
user_pref('extensions.update.enabled', false);
user_pref('geo.enabled', false);
user_pref('identity.fxaccounts.enabled', false);
user_pref('media.gmp-manager.updateEnabled', false);
user_pref('media.gmp-manager.url', 'data:,');
user_pref('network.captive-portal-service.enabled', false);
user_pref('network.connectivity-service.enabled', false);
user_pref('network.dns.disablePrefetch', true);
user_pref('network.dns.disabled', true);
user_pref('network.dns.disablePrefetchFromHTTPS', true);
user_pref('network.http.speculative-parallel-limit', 0);
user_pref('network.predictor.enabled', false);
user_pref('network.prefetch-next', false);
user_pref('network.proxy.type', 0);
user_pref('network.trr.mode', 5);
user_pref('privacy.trackingprotection.enabled', false);
user_pref('privacy.trackingprotection.pbmode.enabled', false);
user_pref('services.settings.server', 'data:,#remote-settings-dummy/v1');
user_pref('security.remote_settings.intermediates.enabled', false);
user_pref('signon.management.page.breach-alerts.enabled', false);
user_pref('toolkit.telemetry.enabled', false);
user_pref('toolkit.telemetry.server', 'data:,');
user_pref('toolkit.telemetry.unified', false);
user_pref('trailhead.firstrun.didSeeAboutWelcome', true);

// Mouse and wheel go the way of a real one, through the compositor.
user_pref('remote.events.async.mouse.enabled', true);
user_pref('remote.events.async.wheel.enabled', true);

// The window has no window manager to give it the focus.
user_pref('focusmanager.testmode', true);

// No process is kept for a page that may never come.
user_pref('dom.ipc.processPrelaunch.enabled', false);

// Its end takes no longer than it must.
user_pref('toolkit.shutdown.fastShutdownStage', 3);
