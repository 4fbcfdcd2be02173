//! The sections and keys of unit files, as `systemd --dump-configuration-items` of systemd 262 names them; a test compares.

/// Sections with their keys.
pub(crate) const SECTIONS: [(&str, &str); 11] = [
    (
        "Unit",
        "After AllowIsolate AssertACPower AssertArchitecture AssertCPUFeature AssertCPUPressure AssertCPUs \
         AssertCapability AssertControlGroupController AssertCredential AssertDirectoryNotEmpty AssertEnvironment \
         AssertFileIsExecutable AssertFileNotEmpty AssertFirstBoot AssertFraction AssertGroup AssertHost AssertIOPressure \
         AssertKernelCommandLine AssertKernelModuleLoaded AssertKernelVersion AssertMachineTag AssertMemory \
         AssertMemoryPressure AssertNeedsUpdate AssertOSRelease AssertPathExists AssertPathExistsGlob \
         AssertPathIsDirectory AssertPathIsEncrypted AssertPathIsMountPoint AssertPathIsReadWrite AssertPathIsSocket \
         AssertPathIsSymbolicLink AssertSecurity AssertUser AssertVersion AssertVirtualization Before BindTo BindsTo \
         CollectMode ConditionACPower ConditionArchitecture ConditionCPUFeature ConditionCPUPressure ConditionCPUs \
         ConditionCapability ConditionControlGroupController ConditionCredential ConditionDirectoryNotEmpty \
         ConditionEnvironment ConditionFileIsExecutable ConditionFileNotEmpty ConditionFirmware ConditionFirstBoot \
         ConditionFraction ConditionGroup ConditionHost ConditionIOPressure ConditionKernelCommandLine \
         ConditionKernelModuleLoaded ConditionKernelVersion ConditionMachineTag ConditionMemory ConditionMemoryPressure \
         ConditionNeedsUpdate ConditionOSRelease ConditionPathExists ConditionPathExistsGlob ConditionPathIsDirectory \
         ConditionPathIsEncrypted ConditionPathIsMountPoint ConditionPathIsReadWrite ConditionPathIsSocket \
         ConditionPathIsSymbolicLink ConditionSecurity ConditionUser ConditionVersion ConditionVirtualization Conflicts \
         DefaultDependencies Description Documentation FailureAction FailureActionExitStatus IgnoreOnIsolate \
         JobRunningTimeoutSec JobTimeoutAction JobTimeoutRebootArgument JobTimeoutSec JoinsNamespaceOf OnFailure \
         OnFailureIsolate OnFailureJobMode OnSuccess OnSuccessJobMode PartOf PropagateReloadFrom PropagateReloadTo \
         PropagatesReloadTo PropagatesStopTo RebootArgument RefuseManualStart RefuseManualStop ReloadPropagatedFrom \
         Requires RequiresMountsFor RequiresOverridable Requisite RequisiteOverridable SourcePath StartLimitAction \
         StartLimitBurst StartLimitInterval StartLimitIntervalSec StopPropagatedFrom StopWhenUnneeded SuccessAction \
         SuccessActionExitStatus SurviveFinalKillSignal Upholds Wants WantsMountsFor",
    ),
    (
        "Service",
        "AllowedCPUs AllowedMemoryNodes AmbientCapabilities AppArmorProfile BPFDelegateAttachments BPFDelegateCommands \
         BPFDelegateMaps BPFDelegatePrograms BPFProgram BindLogSockets BindNetworkInterface BindPaths BindReadOnlyPaths \
         BusName CPUAffinity CPUPressureThresholdSec CPUPressureWatch CPUQuota CPUQuotaPeriodSec CPUSchedulingPolicy \
         CPUSchedulingPriority CPUSchedulingResetOnFork CPUSetPartition CPUWeight CacheDirectory CacheDirectoryAccounting \
         CacheDirectoryMode CacheDirectoryQuota CapabilityBoundingSet ConfigurationDirectory ConfigurationDirectoryMode \
         CoredumpFilter CoredumpReceive Delegate DelegateNamespaces DelegateSubgroup DeviceAllow DevicePolicy \
         DisableControllers DynamicUser Environment EnvironmentFile ExecCondition ExecPaths ExecReload ExecReloadPost \
         ExecSearchPath ExecStart ExecStartPost ExecStartPre ExecStop ExecStopPost ExitType ExtensionDirectories \
         ExtensionImagePolicy ExtensionImages FailureAction FileDescriptorStoreMax FileDescriptorStorePreserve \
         FinalKillSignal Group GuessMainPID IOAccounting IODeviceLatencyTargetSec IODeviceWeight IOPressureThresholdSec \
         IOPressureWatch IOReadBandwidthMax IOReadIOPSMax IOSchedulingClass IOSchedulingPriority IOWeight \
         IOWriteBandwidthMax IOWriteIOPSMax IPAccounting IPAddressAllow IPAddressDeny IPCNamespacePath IPEgressFilterPath \
         IPIngressFilterPath IgnoreSIGPIPE ImportCredential InaccessibleDirectories InaccessiblePaths KeyringMode \
         KillMode KillSignal LUOSession LimitAS LimitCORE LimitCPU LimitDATA LimitFSIZE LimitLOCKS LimitMEMLOCK \
         LimitMSGQUEUE LimitNICE LimitNOFILE LimitNPROC LimitRSS LimitRTPRIO LimitRTTIME LimitSIGPENDING LimitSTACK \
         LoadCredential LoadCredentialEncrypted LockPersonality LogExtraFields LogFilterPatterns LogLevelMax LogNamespace \
         LogRateLimitBurst LogRateLimitIntervalSec LogsDirectory LogsDirectoryAccounting LogsDirectoryMode \
         LogsDirectoryQuota ManagedOOMMemoryPressure ManagedOOMMemoryPressureDurationSec ManagedOOMMemoryPressureLimit \
         ManagedOOMPreference ManagedOOMSwap MemoryAccounting MemoryDenyWriteExecute MemoryHigh MemoryKSM MemoryLow \
         MemoryMax MemoryMin MemoryPressureThresholdSec MemoryPressureWatch MemorySwapMax MemoryTHP MemoryZSwapMax \
         MemoryZSwapWriteback MountAPIVFS MountFlags MountImagePolicy MountImages NFTSet NUMAMask NUMAPolicy \
         NetworkNamespacePath Nice NoExecPaths NoNewPrivileges NonBlocking NotifyAccess OOMPolicy OOMRules OOMScoreAdjust \
         OpenFile PAMName PIDFile PassEnvironment PermissionsStartOnly Personality PrivateBPF PrivateDevices PrivateIPC \
         PrivateMounts PrivateNetwork PrivatePIDs PrivateTmp PrivateUsers ProcSubset ProtectClock ProtectControlGroups \
         ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ProtectProc \
         ProtectSystem ReadOnlyDirectories ReadOnlyPaths ReadWriteDirectories ReadWritePaths RebootArgument \
         RefreshOnReload ReloadSignal RemainAfterExit RemoveIPC Restart RestartForceExitStatus RestartKillSignal \
         RestartMaxDelaySec RestartMode RestartPreventExitStatus RestartRandomizedDelaySec RestartSec RestartSteps \
         RestrictAddressFamilies RestrictFileSystems RestrictNamespaces RestrictNetworkInterfaces RestrictRealtime \
         RestrictSUIDSGID RootDirectory RootDirectoryStartOnly RootEphemeral RootHash RootHashSignature RootImage \
         RootImageOptions RootImagePolicy RootMStack RootVerity RuntimeDirectory RuntimeDirectoryMode \
         RuntimeDirectoryPreserve RuntimeMaxSec RuntimeRandomizedExtraSec SELinuxContext SecureBits SendSIGHUP \
         SendSIGKILL SetCredential SetCredentialEncrypted SetLoginEnvironment Slice SmackProcessLabel SocketBindAllow \
         SocketBindDeny Sockets StandardError StandardInput StandardInputData StandardInputText StandardOutput \
         StartLimitAction StartLimitBurst StartLimitInterval StartupAllowedCPUs StartupAllowedMemoryNodes \
         StartupCPUWeight StartupIOWeight StartupMemoryHigh StartupMemoryLow StartupMemoryMax StartupMemorySwapMax \
         StartupMemoryZSwapMax StateDirectory StateDirectoryAccounting StateDirectoryMode StateDirectoryQuota \
         SuccessExitStatus SupplementaryGroups SyslogFacility SyslogIdentifier SyslogLevel SyslogLevelPrefix \
         SystemCallArchitectures SystemCallErrorNumber SystemCallFilter SystemCallLog TTYColumns TTYPath TTYReset TTYRows \
         TTYVHangup TTYVTDisallocate TasksAccounting TasksMax TemporaryFileSystem TimeoutAbortSec TimeoutCleanSec \
         TimeoutSec TimeoutStartFailureMode TimeoutStartSec TimeoutStopFailureMode TimeoutStopSec TimerSlackNSec Type \
         UMask USBFunctionDescriptors USBFunctionStrings UnsetEnvironment User UserNamespacePath UtmpIdentifier UtmpMode \
         WatchdogSec WatchdogSignal WorkingDirectory",
    ),
    (
        "Socket",
        "Accept AcceptFileDescriptors AllowedCPUs AllowedMemoryNodes AmbientCapabilities AppArmorProfile \
         BPFDelegateAttachments BPFDelegateCommands BPFDelegateMaps BPFDelegatePrograms BPFProgram Backlog BindIPv6Only \
         BindLogSockets BindNetworkInterface BindPaths BindReadOnlyPaths BindToDevice Broadcast CPUAffinity \
         CPUPressureThresholdSec CPUPressureWatch CPUQuota CPUQuotaPeriodSec CPUSchedulingPolicy CPUSchedulingPriority \
         CPUSchedulingResetOnFork CPUSetPartition CPUWeight CacheDirectory CacheDirectoryAccounting CacheDirectoryMode \
         CacheDirectoryQuota CapabilityBoundingSet ConfigurationDirectory ConfigurationDirectoryMode CoredumpFilter \
         CoredumpReceive DeferAcceptSec DeferTrigger DeferTriggerMaxSec Delegate DelegateNamespaces DelegateSubgroup \
         DeviceAllow DevicePolicy DirectoryMode DisableControllers DynamicUser Environment EnvironmentFile ExecPaths \
         ExecSearchPath ExecStartPost ExecStartPre ExecStopPost ExecStopPre ExtensionDirectories ExtensionImagePolicy \
         ExtensionImages FileDescriptorName FinalKillSignal FlushPending FreeBind Group IOAccounting \
         IODeviceLatencyTargetSec IODeviceWeight IOPressureThresholdSec IOPressureWatch IOReadBandwidthMax IOReadIOPSMax \
         IOSchedulingClass IOSchedulingPriority IOWeight IOWriteBandwidthMax IOWriteIOPSMax IPAccounting IPAddressAllow \
         IPAddressDeny IPCNamespacePath IPEgressFilterPath IPIngressFilterPath IPTOS IPTTL IgnoreSIGPIPE ImportCredential \
         InaccessibleDirectories InaccessiblePaths KeepAlive KeepAliveIntervalSec KeepAliveProbes KeepAliveTimeSec \
         KeyringMode KillMode KillSignal LimitAS LimitCORE LimitCPU LimitDATA LimitFSIZE LimitLOCKS LimitMEMLOCK \
         LimitMSGQUEUE LimitNICE LimitNOFILE LimitNPROC LimitRSS LimitRTPRIO LimitRTTIME LimitSIGPENDING LimitSTACK \
         ListenDatagram ListenFIFO ListenMessageQueue ListenNetlink ListenSequentialPacket ListenSpecial ListenStream \
         ListenUSBFunction LoadCredential LoadCredentialEncrypted LockPersonality LogExtraFields LogFilterPatterns \
         LogLevelMax LogNamespace LogRateLimitBurst LogRateLimitIntervalSec LogsDirectory LogsDirectoryAccounting \
         LogsDirectoryMode LogsDirectoryQuota ManagedOOMMemoryPressure ManagedOOMMemoryPressureDurationSec \
         ManagedOOMMemoryPressureLimit ManagedOOMPreference ManagedOOMSwap Mark MaxConnections MaxConnectionsPerSource \
         MemoryAccounting MemoryDenyWriteExecute MemoryHigh MemoryKSM MemoryLow MemoryMax MemoryMin \
         MemoryPressureThresholdSec MemoryPressureWatch MemorySwapMax MemoryTHP MemoryZSwapMax MemoryZSwapWriteback \
         MessageQueueMaxMessages MessageQueueMessageSize MountAPIVFS MountFlags MountImagePolicy MountImages NFTSet \
         NUMAMask NUMAPolicy NetworkNamespacePath Nice NoDelay NoExecPaths NoNewPrivileges OOMRules OOMScoreAdjust \
         PAMName PassCredentials PassEnvironment PassFileDescriptorsToExec PassPIDFD PassPacketInfo PassSecurity \
         Personality PipeSize PollLimitBurst PollLimitIntervalSec Priority PrivateBPF PrivateDevices PrivateIPC \
         PrivateMounts PrivateNetwork PrivatePIDs PrivateTmp PrivateUsers ProcSubset ProtectClock ProtectControlGroups \
         ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ProtectProc \
         ProtectSystem ReadOnlyDirectories ReadOnlyPaths ReadWriteDirectories ReadWritePaths ReceiveBuffer RemoveIPC \
         RemoveOnStop RestartKillSignal RestrictAddressFamilies RestrictFileSystems RestrictNamespaces \
         RestrictNetworkInterfaces RestrictRealtime RestrictSUIDSGID ReusePort RootDirectory RootEphemeral RootHash \
         RootHashSignature RootImage RootImageOptions RootImagePolicy RootMStack RootVerity RuntimeDirectory \
         RuntimeDirectoryMode RuntimeDirectoryPreserve SELinuxContext SELinuxContextFromNet SecureBits SendBuffer \
         SendSIGHUP SendSIGKILL Service SetCredential SetCredentialEncrypted SetLoginEnvironment Slice SmackLabel \
         SmackLabelIPIn SmackLabelIPOut SmackProcessLabel SocketBindAllow SocketBindDeny SocketGroup SocketMode \
         SocketProtocol SocketUser StandardError StandardInput StandardInputData StandardInputText StandardOutput \
         StartupAllowedCPUs StartupAllowedMemoryNodes StartupCPUWeight StartupIOWeight StartupMemoryHigh StartupMemoryLow \
         StartupMemoryMax StartupMemorySwapMax StartupMemoryZSwapMax StateDirectory StateDirectoryAccounting \
         StateDirectoryMode StateDirectoryQuota SupplementaryGroups Symlinks SyslogFacility SyslogIdentifier SyslogLevel \
         SyslogLevelPrefix SystemCallArchitectures SystemCallErrorNumber SystemCallFilter SystemCallLog TCPCongestion \
         TTYColumns TTYPath TTYReset TTYRows TTYVHangup TTYVTDisallocate TasksAccounting TasksMax TemporaryFileSystem \
         TimeoutCleanSec TimeoutSec TimerSlackNSec Timestamping Transparent TriggerLimitBurst TriggerLimitIntervalSec \
         UMask UnsetEnvironment User UserNamespacePath UtmpIdentifier UtmpMode WatchdogSignal WorkingDirectory Writable \
         XAttrAccept XAttrEntryPoint XAttrListen",
    ),
    (
        "Mount",
        "AllowedCPUs AllowedMemoryNodes AmbientCapabilities AppArmorProfile BPFDelegateAttachments BPFDelegateCommands \
         BPFDelegateMaps BPFDelegatePrograms BPFProgram BindLogSockets BindNetworkInterface BindPaths BindReadOnlyPaths \
         CPUAffinity CPUPressureThresholdSec CPUPressureWatch CPUQuota CPUQuotaPeriodSec CPUSchedulingPolicy \
         CPUSchedulingPriority CPUSchedulingResetOnFork CPUSetPartition CPUWeight CacheDirectory CacheDirectoryAccounting \
         CacheDirectoryMode CacheDirectoryQuota CapabilityBoundingSet ConfigurationDirectory ConfigurationDirectoryMode \
         CoredumpFilter CoredumpReceive Delegate DelegateNamespaces DelegateSubgroup DeviceAllow DevicePolicy \
         DirectoryMode DisableControllers DynamicUser Environment EnvironmentFile ExecPaths ExecSearchPath \
         ExtensionDirectories ExtensionImagePolicy ExtensionImages FinalKillSignal ForceUnmount Group IOAccounting \
         IODeviceLatencyTargetSec IODeviceWeight IOPressureThresholdSec IOPressureWatch IOReadBandwidthMax IOReadIOPSMax \
         IOSchedulingClass IOSchedulingPriority IOWeight IOWriteBandwidthMax IOWriteIOPSMax IPAccounting IPAddressAllow \
         IPAddressDeny IPCNamespacePath IPEgressFilterPath IPIngressFilterPath IgnoreSIGPIPE ImportCredential \
         InaccessibleDirectories InaccessiblePaths KeyringMode KillMode KillSignal LazyUnmount LimitAS LimitCORE LimitCPU \
         LimitDATA LimitFSIZE LimitLOCKS LimitMEMLOCK LimitMSGQUEUE LimitNICE LimitNOFILE LimitNPROC LimitRSS LimitRTPRIO \
         LimitRTTIME LimitSIGPENDING LimitSTACK LoadCredential LoadCredentialEncrypted LockPersonality LogExtraFields \
         LogFilterPatterns LogLevelMax LogNamespace LogRateLimitBurst LogRateLimitIntervalSec LogsDirectory \
         LogsDirectoryAccounting LogsDirectoryMode LogsDirectoryQuota ManagedOOMMemoryPressure \
         ManagedOOMMemoryPressureDurationSec ManagedOOMMemoryPressureLimit ManagedOOMPreference ManagedOOMSwap \
         MemoryAccounting MemoryDenyWriteExecute MemoryHigh MemoryKSM MemoryLow MemoryMax MemoryMin \
         MemoryPressureThresholdSec MemoryPressureWatch MemorySwapMax MemoryTHP MemoryZSwapMax MemoryZSwapWriteback \
         MountAPIVFS MountFlags MountImagePolicy MountImages NFTSet NUMAMask NUMAPolicy NetworkNamespacePath Nice \
         NoExecPaths NoNewPrivileges OOMRules OOMScoreAdjust Options PAMName PassEnvironment Personality PrivateBPF \
         PrivateDevices PrivateIPC PrivateMounts PrivateNetwork PrivatePIDs PrivateTmp PrivateUsers ProcSubset \
         ProtectClock ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules \
         ProtectKernelTunables ProtectProc ProtectSystem ReadOnlyDirectories ReadOnlyPaths ReadWriteDirectories \
         ReadWriteOnly ReadWritePaths RemoveIPC RestartKillSignal RestrictAddressFamilies RestrictFileSystems \
         RestrictNamespaces RestrictNetworkInterfaces RestrictRealtime RestrictSUIDSGID RootDirectory RootEphemeral \
         RootHash RootHashSignature RootImage RootImageOptions RootImagePolicy RootMStack RootVerity RuntimeDirectory \
         RuntimeDirectoryMode RuntimeDirectoryPreserve SELinuxContext SecureBits SendSIGHUP SendSIGKILL SetCredential \
         SetCredentialEncrypted SetLoginEnvironment Slice SloppyOptions SmackProcessLabel SocketBindAllow SocketBindDeny \
         StandardError StandardInput StandardInputData StandardInputText StandardOutput StartupAllowedCPUs \
         StartupAllowedMemoryNodes StartupCPUWeight StartupIOWeight StartupMemoryHigh StartupMemoryLow StartupMemoryMax \
         StartupMemorySwapMax StartupMemoryZSwapMax StateDirectory StateDirectoryAccounting StateDirectoryMode \
         StateDirectoryQuota SupplementaryGroups SyslogFacility SyslogIdentifier SyslogLevel SyslogLevelPrefix \
         SystemCallArchitectures SystemCallErrorNumber SystemCallFilter SystemCallLog TTYColumns TTYPath TTYReset TTYRows \
         TTYVHangup TTYVTDisallocate TasksAccounting TasksMax TemporaryFileSystem TimeoutCleanSec TimeoutSec \
         TimerSlackNSec Type UMask UnsetEnvironment User UserNamespacePath UtmpIdentifier UtmpMode WatchdogSignal What \
         Where WorkingDirectory",
    ),
    (
        "Automount",
        "DirectoryMode ExtraOptions TimeoutIdleSec Where",
    ),
    (
        "Swap",
        "AllowedCPUs AllowedMemoryNodes AmbientCapabilities AppArmorProfile BPFDelegateAttachments BPFDelegateCommands \
         BPFDelegateMaps BPFDelegatePrograms BPFProgram BindLogSockets BindNetworkInterface BindPaths BindReadOnlyPaths \
         CPUAffinity CPUPressureThresholdSec CPUPressureWatch CPUQuota CPUQuotaPeriodSec CPUSchedulingPolicy \
         CPUSchedulingPriority CPUSchedulingResetOnFork CPUSetPartition CPUWeight CacheDirectory CacheDirectoryAccounting \
         CacheDirectoryMode CacheDirectoryQuota CapabilityBoundingSet ConfigurationDirectory ConfigurationDirectoryMode \
         CoredumpFilter CoredumpReceive Delegate DelegateNamespaces DelegateSubgroup DeviceAllow DevicePolicy \
         DisableControllers DynamicUser Environment EnvironmentFile ExecPaths ExecSearchPath ExtensionDirectories \
         ExtensionImagePolicy ExtensionImages FinalKillSignal Group IOAccounting IODeviceLatencyTargetSec IODeviceWeight \
         IOPressureThresholdSec IOPressureWatch IOReadBandwidthMax IOReadIOPSMax IOSchedulingClass IOSchedulingPriority \
         IOWeight IOWriteBandwidthMax IOWriteIOPSMax IPAccounting IPAddressAllow IPAddressDeny IPCNamespacePath \
         IPEgressFilterPath IPIngressFilterPath IgnoreSIGPIPE ImportCredential InaccessibleDirectories InaccessiblePaths \
         KeyringMode KillMode KillSignal LimitAS LimitCORE LimitCPU LimitDATA LimitFSIZE LimitLOCKS LimitMEMLOCK \
         LimitMSGQUEUE LimitNICE LimitNOFILE LimitNPROC LimitRSS LimitRTPRIO LimitRTTIME LimitSIGPENDING LimitSTACK \
         LoadCredential LoadCredentialEncrypted LockPersonality LogExtraFields LogFilterPatterns LogLevelMax LogNamespace \
         LogRateLimitBurst LogRateLimitIntervalSec LogsDirectory LogsDirectoryAccounting LogsDirectoryMode \
         LogsDirectoryQuota ManagedOOMMemoryPressure ManagedOOMMemoryPressureDurationSec ManagedOOMMemoryPressureLimit \
         ManagedOOMPreference ManagedOOMSwap MemoryAccounting MemoryDenyWriteExecute MemoryHigh MemoryKSM MemoryLow \
         MemoryMax MemoryMin MemoryPressureThresholdSec MemoryPressureWatch MemorySwapMax MemoryTHP MemoryZSwapMax \
         MemoryZSwapWriteback MountAPIVFS MountFlags MountImagePolicy MountImages NFTSet NUMAMask NUMAPolicy \
         NetworkNamespacePath Nice NoExecPaths NoNewPrivileges OOMRules OOMScoreAdjust Options PAMName PassEnvironment \
         Personality Priority PrivateBPF PrivateDevices PrivateIPC PrivateMounts PrivateNetwork PrivatePIDs PrivateTmp \
         PrivateUsers ProcSubset ProtectClock ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs \
         ProtectKernelModules ProtectKernelTunables ProtectProc ProtectSystem ReadOnlyDirectories ReadOnlyPaths \
         ReadWriteDirectories ReadWritePaths RemoveIPC RestartKillSignal RestrictAddressFamilies RestrictFileSystems \
         RestrictNamespaces RestrictNetworkInterfaces RestrictRealtime RestrictSUIDSGID RootDirectory RootEphemeral \
         RootHash RootHashSignature RootImage RootImageOptions RootImagePolicy RootMStack RootVerity RuntimeDirectory \
         RuntimeDirectoryMode RuntimeDirectoryPreserve SELinuxContext SecureBits SendSIGHUP SendSIGKILL SetCredential \
         SetCredentialEncrypted SetLoginEnvironment Slice SmackProcessLabel SocketBindAllow SocketBindDeny StandardError \
         StandardInput StandardInputData StandardInputText StandardOutput StartupAllowedCPUs StartupAllowedMemoryNodes \
         StartupCPUWeight StartupIOWeight StartupMemoryHigh StartupMemoryLow StartupMemoryMax StartupMemorySwapMax \
         StartupMemoryZSwapMax StateDirectory StateDirectoryAccounting StateDirectoryMode StateDirectoryQuota \
         SupplementaryGroups SyslogFacility SyslogIdentifier SyslogLevel SyslogLevelPrefix SystemCallArchitectures \
         SystemCallErrorNumber SystemCallFilter SystemCallLog TTYColumns TTYPath TTYReset TTYRows TTYVHangup \
         TTYVTDisallocate TasksAccounting TasksMax TemporaryFileSystem TimeoutCleanSec TimeoutSec TimerSlackNSec UMask \
         UnsetEnvironment User UserNamespacePath UtmpIdentifier UtmpMode WatchdogSignal What WorkingDirectory",
    ),
    (
        "Timer",
        "AccuracySec DeferReactivation FixedRandomDelay OnActiveSec OnBootSec OnCalendar OnClockChange OnStartupSec \
         OnTimezoneChange OnUnitActiveSec OnUnitInactiveSec Persistent RandomizedDelaySec RandomizedOffsetSec \
         RemainAfterElapse Unit WakeSystem",
    ),
    (
        "Path",
        "DirectoryMode DirectoryNotEmpty MakeDirectory PathChanged PathExists PathExistsGlob PathModified \
         TriggerLimitBurst TriggerLimitIntervalSec Unit",
    ),
    (
        "Slice",
        "ActivatingConcurrencyMax AllowedCPUs AllowedMemoryNodes BPFProgram BindNetworkInterface CPUPressureThresholdSec \
         CPUPressureWatch CPUQuota CPUQuotaPeriodSec CPUSetPartition CPUWeight ConcurrencyHardMax ConcurrencySoftMax \
         CoredumpReceive Delegate DelegateSubgroup DeviceAllow DevicePolicy DisableControllers IOAccounting \
         IODeviceLatencyTargetSec IODeviceWeight IOPressureThresholdSec IOPressureWatch IOReadBandwidthMax IOReadIOPSMax \
         IOWeight IOWriteBandwidthMax IOWriteIOPSMax IPAccounting IPAddressAllow IPAddressDeny IPEgressFilterPath \
         IPIngressFilterPath ManagedOOMMemoryPressure ManagedOOMMemoryPressureDurationSec ManagedOOMMemoryPressureLimit \
         ManagedOOMPreference ManagedOOMSwap MemoryAccounting MemoryHigh MemoryLow MemoryMax MemoryMin \
         MemoryPressureThresholdSec MemoryPressureWatch MemorySwapMax MemoryZSwapMax MemoryZSwapWriteback NFTSet OOMRules \
         RestrictNetworkInterfaces Slice SocketBindAllow SocketBindDeny StartupAllowedCPUs StartupAllowedMemoryNodes \
         StartupCPUWeight StartupIOWeight StartupMemoryHigh StartupMemoryLow StartupMemoryMax StartupMemorySwapMax \
         StartupMemoryZSwapMax TasksAccounting TasksMax",
    ),
    (
        "Scope",
        "AllowedCPUs AllowedMemoryNodes BPFProgram BindNetworkInterface CPUPressureThresholdSec CPUPressureWatch CPUQuota \
         CPUQuotaPeriodSec CPUSetPartition CPUWeight CoredumpReceive Delegate DelegateSubgroup DeviceAllow DevicePolicy \
         DisableControllers FinalKillSignal IOAccounting IODeviceLatencyTargetSec IODeviceWeight IOPressureThresholdSec \
         IOPressureWatch IOReadBandwidthMax IOReadIOPSMax IOWeight IOWriteBandwidthMax IOWriteIOPSMax IPAccounting \
         IPAddressAllow IPAddressDeny IPEgressFilterPath IPIngressFilterPath KillMode KillSignal ManagedOOMMemoryPressure \
         ManagedOOMMemoryPressureDurationSec ManagedOOMMemoryPressureLimit ManagedOOMPreference ManagedOOMSwap \
         MemoryAccounting MemoryHigh MemoryLow MemoryMax MemoryMin MemoryPressureThresholdSec MemoryPressureWatch \
         MemorySwapMax MemoryZSwapMax MemoryZSwapWriteback NFTSet OOMPolicy OOMRules RestartKillSignal \
         RestrictNetworkInterfaces RuntimeMaxSec RuntimeRandomizedExtraSec SendSIGHUP SendSIGKILL Slice SocketBindAllow \
         SocketBindDeny StartupAllowedCPUs StartupAllowedMemoryNodes StartupCPUWeight StartupIOWeight StartupMemoryHigh \
         StartupMemoryLow StartupMemoryMax StartupMemorySwapMax StartupMemoryZSwapMax TasksAccounting TasksMax \
         TimeoutStopSec WatchdogSignal",
    ),
    (
        "Install",
        "Alias Also DefaultInstance RequiredBy UpheldBy WantedBy",
    ),
];
