package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// Made once: skein is the server, built from this tree; reference is the page
// of its options.
var skein, reference string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "skein-helm-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		skein = filepath.Join(dir, "skein")
		build := exec.Command("go", "build", "-o", skein, "./cmd/skein")
		build.Dir, build.Stderr = "../../..", os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build the server:", err)
			return 1
		}
		page, err := os.ReadFile("../../../docs/reference/config.md")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		reference = string(page)
		return m.Run()
	}())
}

// world is a release's objects, by what they are asked for.
type world struct {
	set        *appsv1.StatefulSet
	services   map[string]*corev1.Service
	configs    map[string]*corev1.ConfigMap
	accounts   map[string]bool
	secrets    map[string]string
	candidates []runtime.Object
	problems   []string
}

func (w *world) bad(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// check finds what does not fit together in a release. secrets are those that
// were there before, with one key of each.
func check(objects []runtime.Object, secrets map[string]string) []string {
	w := &world{services: map[string]*corev1.Service{}, configs: map[string]*corev1.ConfigMap{}, accounts: map[string]bool{"default": true}, secrets: map[string]string{}}
	for name, key := range secrets {
		w.secrets[name] = key
	}
	for _, o := range objects {
		switch o := o.(type) {
		case *appsv1.StatefulSet:
			w.set = o
		case *corev1.Service:
			w.services[o.Name] = o
		case *corev1.ConfigMap:
			w.configs[o.Name] = o
		case *corev1.ServiceAccount:
			w.accounts[o.Name] = true
		case *certificate:
			w.secrets[o.Spec.SecretName] = "tls.crt"
		}
	}
	if w.set == nil {
		return append(w.problems, "there is no StatefulSet")
	}
	w.checkSet()
	for _, o := range objects {
		switch o := o.(type) {
		case *corev1.Service:
			w.checkService(o)
		case *networkingv1.Ingress:
			w.checkIngress(o)
		case *networkingv1.NetworkPolicy:
			w.checkPolicy(o)
		case *policyv1.PodDisruptionBudget:
			w.selects("the disruption budget", o.Spec.Selector)
		case *autoscalingv2.HorizontalPodAutoscaler:
			if r := o.Spec.ScaleTargetRef; r.Kind != "StatefulSet" || r.Name != w.set.Name || r.APIVersion != "apps/v1" {
				w.bad("the autoscaler scales %+v", r)
			}
		case *serviceMonitor:
			w.checkMonitor(o)
		case *certificate:
			w.checkCertificate(o)
		case *corev1.Pod:
			w.checkTestPod(o)
		}
	}
	w.checkOptions()
	return w.problems
}

func (w *world) container() *corev1.Container { return &w.set.Spec.Template.Spec.Containers[0] }

// selects checks that a selector finds the pods.
func (w *world) selects(who string, s *metav1.LabelSelector) {
	sel, err := metav1.LabelSelectorAsSelector(s)
	if err != nil || sel.Empty() || !sel.Matches(labels.Set(w.set.Spec.Template.Labels)) {
		w.bad("%s selects %v, not the pods (%v)", who, s, err)
	}
}

// port checks that the container has a port.
func (w *world) port(who string, p intstr.IntOrString) {
	for _, c := range w.container().Ports {
		if p.StrVal == c.Name && c.Name != "" || p.Type == intstr.Int && p.IntVal == c.ContainerPort {
			return
		}
	}
	w.bad("%s: the container has no port %s", who, p.String())
}

func (w *world) checkSet() {
	spec := &w.set.Spec.Template.Spec
	w.selects("the StatefulSet", w.set.Spec.Selector)
	if s := w.services[w.set.Spec.ServiceName]; s == nil || s.Spec.ClusterIP != corev1.ClusterIPNone || !s.Spec.PublishNotReadyAddresses {
		w.bad("the headless service %s is not there, or no headless one", w.set.Spec.ServiceName)
	}
	if !w.accounts[spec.ServiceAccountName] {
		w.bad("nobody makes the account %s", spec.ServiceAccountName)
	}
	if spec.EnableServiceLinks == nil || *spec.EnableServiceLinks {
		w.bad("Kubernetes sets variables SKEIN_…, which the server takes for options")
	}
	for _, s := range spec.ImagePullSecrets {
		w.secret("imagePullSecrets", s.Name, "")
	}
	volumes := map[string]bool{}
	for _, v := range spec.Volumes {
		volumes[v.Name] = true
		if v.Secret != nil {
			w.secret("volume "+v.Name, v.Secret.SecretName, "")
		}
		if v.ConfigMap != nil && w.configs[v.ConfigMap.Name] == nil && v.Name != "database-ca" {
			w.bad("the volume %s is of the ConfigMap %s, which is not there", v.Name, v.ConfigMap.Name)
		}
	}
	for _, v := range w.set.Spec.VolumeClaimTemplates {
		volumes[v.Name] = true
	}
	c := w.container()
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			w.bad("the volume %s is mounted and not there", m.Name)
		}
	}
	for _, e := range c.Env {
		if strings.HasPrefix(e.Name, "SKEIN_") && e.Name != "SKEIN_CONFIG" && !strings.Contains(reference, "`"+e.Name+"`") {
			w.bad("the server has no option %s", e.Name)
		}
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			w.secret(e.Name, e.ValueFrom.SecretKeyRef.Name, e.ValueFrom.SecretKeyRef.Key)
		}
	}
	for name, p := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if p == nil || p.HTTPGet == nil {
			w.bad("there is no %s probe", name)
			continue
		}
		w.port(name+" probe", p.HTTPGet.Port)
	}
	w.checkSecurity("the server", spec.SecurityContext, c.SecurityContext)
}

func (w *world) secret(who, name, key string) {
	have, ok := w.secrets[name]
	if !ok {
		w.bad("%s: nobody makes the secret %s", who, name)
	} else if key != "" && key != have {
		w.bad("%s: the secret %s has no key %s", who, name, key)
	}
}

// checkSecurity holds a pod to the "restricted" standard of Kubernetes.
func (w *world) checkSecurity(who string, pod *corev1.PodSecurityContext, c *corev1.SecurityContext) {
	yes := func(b *bool) bool { return b != nil && *b }
	if pod == nil || c == nil || !yes(pod.RunAsNonRoot) || pod.RunAsUser == nil || *pod.RunAsUser == 0 ||
		pod.SeccompProfile == nil || pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault ||
		c.AllowPrivilegeEscalation == nil || *c.AllowPrivilegeEscalation || !yes(c.ReadOnlyRootFilesystem) ||
		c.Capabilities == nil || !slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(c.Capabilities.Add) > 0 {
		w.bad("%s is not confined: %+v %+v", who, pod, c)
	}
}

func (w *world) checkService(s *corev1.Service) {
	w.selects("the service "+s.Name, &metav1.LabelSelector{MatchLabels: s.Spec.Selector})
	for _, p := range s.Spec.Ports {
		w.port("the service "+s.Name, p.TargetPort)
		if s.Spec.ClusterIP != corev1.ClusterIPNone && (p.Name == "admin" || p.Name == "routes") {
			w.bad("the service %s shows the port %s to everybody", s.Name, p.Name)
		}
	}
}

func (w *world) checkIngress(o *networkingv1.Ingress) {
	for _, r := range o.Spec.Rules {
		for _, p := range r.HTTP.Paths {
			b := p.Backend.Service
			s := w.services[b.Name]
			if s == nil || !slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == b.Port.Name }) {
				w.bad("the ingress leads to %+v, which is not there", b)
			}
		}
	}
	for _, tls := range o.Spec.TLS {
		w.secret("ingress", tls.SecretName, "")
	}
}

func (w *world) checkPolicy(o *networkingv1.NetworkPolicy) {
	w.selects("the network policy", &o.Spec.PodSelector)
	open := map[string]bool{}
	for _, r := range o.Spec.Ingress {
		for _, p := range r.Ports {
			w.port("the network policy", *p.Port)
			open[p.Port.StrVal] = true
			if !slices.Contains([]string{"http", "https", "media-udp", "media-tcp"}, p.Port.StrVal) && len(r.From) == 0 {
				w.bad("everybody may reach the port %s", p.Port.StrVal)
			}
		}
	}
	for _, p := range w.container().Ports {
		if !open[p.Name] {
			w.bad("the network policy lets nobody reach the port %s", p.Name)
		}
	}
}

func (w *world) checkMonitor(o *serviceMonitor) {
	sel, err := metav1.LabelSelectorAsSelector(&o.Spec.Selector)
	if err != nil {
		w.bad("the monitor's selector: %v", err)
		return
	}
	found := 0
	for _, s := range w.services {
		if !sel.Matches(labels.Set(s.Labels)) {
			continue
		}
		found++
		for _, e := range o.Spec.Endpoints {
			if !slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == e.Port }) {
				w.bad("the monitor looks at the port %s of %s, which has none", e.Port, s.Name)
			}
		}
	}
	if found != 1 {
		w.bad("the monitor finds %d services", found)
	}
}

func (w *world) checkCertificate(o *certificate) {
	used := false
	for _, v := range w.set.Spec.Template.Spec.Volumes {
		used = used || v.Secret != nil && v.Secret.SecretName == o.Spec.SecretName
	}
	if !used {
		w.bad("nobody uses the certificate's secret %s", o.Spec.SecretName)
	}
	if !slices.Contains(o.Spec.Usages, "server auth") || !slices.Contains(o.Spec.Usages, "client auth") {
		w.bad("the certificate is for %v", o.Spec.Usages)
	}
	for _, peer := range w.options().Cluster.Peers {
		host, _, _ := strings.Cut(peer, ":")
		_, parent, _ := strings.Cut(host, ".")
		if !slices.Contains(o.Spec.DNSNames, "*."+parent) {
			w.bad("the certificate is for %v and not for %s", o.Spec.DNSNames, host)
		}
	}
}

func (w *world) checkTestPod(o *corev1.Pod) {
	c := o.Spec.Containers[0]
	w.checkSecurity("the test", o.Spec.SecurityContext, c.SecurityContext)
	sel := labels.SelectorFromSet(w.set.Spec.Selector.MatchLabels)
	if sel.Matches(labels.Set(o.Labels)) {
		w.bad("the test's pod looks like a node")
	}
	if len(c.Args) != 3 || c.Args[0] != "health" {
		w.bad("the test runs %v", c.Args)
		return
	}
	_, rest, _ := strings.Cut(c.Args[2], "://")
	host, port, _ := strings.Cut(strings.TrimSuffix(rest, "/healthz"), ":")
	s := w.services[host]
	if s == nil || !slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return fmt.Sprint(p.Port) == port }) {
		w.bad("the test asks %s, which is not there", c.Args[2])
	}
}

// options are those of the server's file that the chart makes.
type options struct {
	Listen  string
	Admin   struct{ Listen string }
	Drain   struct{ Delay, Spread, Timeout metav1.Duration }
	TLS     struct{ Cert, Key string }
	SFU     string
	RTC     struct{ Port int32 }
	Cluster struct {
		Listen        string
		Peers         []string
		Cert, Key, CA string
	}
}

func (w *world) options() (o options) {
	if c := w.configs[w.set.Name]; c != nil {
		if err := yaml.Unmarshal([]byte(c.Data["skein.yaml"]), &o); err != nil {
			w.bad("the server's file: %v", err)
		}
	}
	return o
}

// checkOptions holds the server's file to the pod, and has the server itself
// look at both.
func (w *world) checkOptions() {
	o := w.options()
	spec := &w.set.Spec.Template.Spec
	if g := spec.TerminationGracePeriodSeconds; g == nil || float64(*g) < o.Drain.Timeout.Seconds()+5 {
		w.bad("the pod has less time to end than the drain's %v", o.Drain.Timeout.Duration)
	}
	for name, listen := range map[string]string{"": o.Listen, "admin": o.Admin.Listen, "routes": o.Cluster.Listen} {
		_, port, ok := strings.Cut(listen, ":")
		if !ok && name != "routes" {
			w.bad("the server does not listen for %q", name)
		}
		found := !ok
		for _, p := range w.container().Ports {
			found = found || fmt.Sprint(p.ContainerPort) == port
		}
		if !found {
			w.bad("the server listens on %s, which is no port of the container", listen)
		}
	}
	media := 0
	for _, p := range w.container().Ports {
		if p.HostPort == 0 {
			continue
		}
		if media++; p.HostPort != o.RTC.Port || p.ContainerPort != o.RTC.Port {
			w.bad("media comes to the port %d of the host, and the server has it on %d", p.HostPort, o.RTC.Port)
		}
	}
	if want := map[bool]int{true: 0, false: 2}[o.SFU == "off"]; media != want {
		w.bad("%d ports of the host are for media, with the option sfu %q", media, o.SFU)
	}
	for _, peer := range o.Cluster.Peers {
		ok := false
		for i := range 3 {
			want := fmt.Sprintf("%s-%d.%s.%s.svc.", w.set.Name, i, w.set.Spec.ServiceName, namespace)
			_, port, _ := strings.Cut(o.Cluster.Listen, ":")
			ok = ok || strings.HasPrefix(peer, want) && strings.HasSuffix(peer, ":"+port)
		}
		if !ok {
			w.bad("there is no peer %s", peer)
		}
	}
	for _, file := range []string{o.TLS.Cert, o.TLS.Key, o.Cluster.Cert, o.Cluster.Key, o.Cluster.CA} {
		if file != "" && !slices.ContainsFunc(w.container().VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == filepath.Dir(file) }) {
			w.bad("nothing is mounted where %s should be", file)
		}
	}
	w.askServer()
}

// askServer has the server read the arguments, variables and file of the pod.
func (w *world) askServer() {
	dir, err := os.MkdirTemp("", "skein-options-")
	if err != nil {
		w.bad("%v", err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "skein.yaml")
	if c := w.configs[w.set.Name]; c != nil {
		err = os.WriteFile(file, []byte(c.Data["skein.yaml"]), 0o600)
	}
	if err != nil {
		w.bad("%v", err)
		return
	}
	secret := map[string]string{"SKEIN_DB": "postgres://skein:x@db/skein?sslmode=verify-full", "SKEIN_SECRET_KEY": strings.Repeat("00", 32),
		"SKEIN_NATS_URL": "tls://nats.internal:4222"}
	args := slices.Clone(w.container().Args)
	if len(args) == 0 || args[0] != "serve" {
		w.bad("the container runs %v", args)
		return
	}
	args[0] = "check"
	cmd := exec.Command(skein, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	for _, e := range w.container().Env {
		switch {
		case e.Name == "SKEIN_RTC_ADDRESS":
			cmd.Env = append(cmd.Env, e.Name+"="+strings.NewReplacer("$(HOST_IP)", "198.51.100.7", "$(POD_IP)", "10.42.0.9").Replace(e.Value))
		case e.ValueFrom != nil:
			cmd.Env = append(cmd.Env, e.Name+"="+secret[e.Name])
		case e.Name == "SKEIN_CONFIG":
			cmd.Env = append(cmd.Env, e.Name+"="+file)
		default:
			cmd.Env = append(cmd.Env, e.Name+"="+e.Value)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		w.bad("the server refuses its options: %v: %s", err, out)
	}
}
